"""Result files: segments, label map, probabilities, surfaces, report and overview."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .names import FILES, GROUPS

if TYPE_CHECKING:
    from .results import prepare, write_results

__all__ = ["FILES", "GROUPS", "prepare", "write_results"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that Slicer can read masks without what draws the overview."""
    if name not in ("prepare", "write_results"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(".results", __name__), name)
