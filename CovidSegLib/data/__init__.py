"""The scans that networks learn from and are measured on, in the layouts in which people have them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .case import Case
    from .dataset import DataSet, open_data
    from .entry import Entry

__all__ = ["Case", "DataSet", "Entry", "open_data"]

_WHERE = {"Case": "case", "DataSet": "dataset", "Entry": "entry", "open_data": "dataset"}


def __getattr__(name: str) -> Any:
    """Load what is asked for: the command line, which imports `data.command`, need not wait for torch."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_WHERE[name]}", __name__), name)
