"""The scans that networks learn from and are measured on, in the layouts in which people have them."""

from .case import Case
from .dataset import DataSet, open_data
from .entry import Entry

__all__ = ["Case", "DataSet", "Entry", "open_data"]
