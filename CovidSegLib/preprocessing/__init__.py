"""Prepare a CT for a network, and map predictions back: axes, region, grid and grey values."""

from .axial_view import AxialView
from .body import body_mask, outside_body, outside_field_of_view
from .intensity import grey_statistics, keep_near, scale_window, standardise
from .slice_frame import SliceFrame, neighbouring_slices
from .volume_frame import VolumeFrame

__all__ = [
    "AxialView",
    "SliceFrame",
    "VolumeFrame",
    "body_mask",
    "grey_statistics",
    "keep_near",
    "neighbouring_slices",
    "outside_body",
    "outside_field_of_view",
    "scale_window",
    "standardise",
]
