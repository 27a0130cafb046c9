# The names that `__getattr__` in __init__.py imports, for type checkers and editors.
from .data import open_data as open_data
from .models import find_model as find_model
from .outputs import write_results as write_results
from .pipeline import segment as segment
from .quantification import quantify as quantify
from .reading import read_volume as read_volume
from .segmentation import Segmentation as Segmentation
from .surfaces import surfaces_of as surfaces_of
from .volume import Grid as Grid
from .volume import Volume as Volume

__version__: str
