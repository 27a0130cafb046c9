"""A synthetic chest CT with known lungs and infection, for the demo and for tests."""

from .grids import default_grid, oblique_grid
from .opacities import Lesion
from .synthetic_chest import Phantom, make_phantom

__all__ = ["Lesion", "Phantom", "default_grid", "make_phantom", "oblique_grid"]
