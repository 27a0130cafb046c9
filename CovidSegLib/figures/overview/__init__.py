"""The overview of a result: one picture with slices, 3D views, numbers and warnings."""

from .figure import draw_overview, overview_figure
from .header import SYNTHETIC, UNTRAINED
from .views import NO_3D, NO_SURFACES

__all__ = ["NO_3D", "NO_SURFACES", "SYNTHETIC", "UNTRAINED", "draw_overview", "overview_figure"]
