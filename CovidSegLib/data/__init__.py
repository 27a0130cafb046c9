"""The scans that networks are trained and evaluated on, in the layouts in which people have them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .case import Case
    from .dataset import DataSet, open_data
    from .entry import Entry

__all__ = ["Case", "DataSet", "Entry", "open_data"]

_MODULES = {"Case": "case", "DataSet": "dataset", "Entry": "entry", "open_data": "dataset"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `data.sources` and `data.split` load quickly."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
