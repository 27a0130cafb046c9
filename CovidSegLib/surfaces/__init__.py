"""Closed surfaces of masks in LPS millimetres."""

from .closed_surfaces import closed_surface, closed_surface_in_steps, segment_surfaces_of, surfaces_of

__all__ = ["closed_surface", "closed_surface_in_steps", "segment_surfaces_of", "surfaces_of"]
