"""Closed surfaces of masks in LPS millimetres."""

from .closed_surfaces import closed_surface, surfaces_of

__all__ = ["closed_surface", "surfaces_of"]
