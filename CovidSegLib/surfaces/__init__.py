"""Closed surfaces of masks, in the patient's coordinates."""

from .closed_surfaces import closed_surface, surfaces_of

__all__ = ["closed_surface", "surfaces_of"]
