"""Observe nodes without keeping them in memory afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class NodeObservers:
    """Observers of nodes, which can be removed again.

    Slicer's `VTKObservationMixin` keeps a reference to each node that it has ever observed. A CT that the user has
    closed would stay in memory.
    """

    def __init__(self) -> None:
        self._tags: dict[Any, list[int]] = {}

    def add(self, node: Any, event: int, method: Callable[[Any, Any], object]) -> None:
        """Call a method whenever a node sends an event."""
        self._tags.setdefault(node, []).append(node.AddObserver(event, method))

    def remove(self, node: Any) -> None:
        """Remove all observers of a node, and forget it."""
        for tag in self._tags.pop(node, ()):
            node.RemoveObserver(tag)

    def clear(self) -> None:
        """Remove all observers of all nodes."""
        for node in list(self._tags):
            self.remove(node)
