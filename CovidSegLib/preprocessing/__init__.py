"""From a CT to what a network takes, and back: axes, region, grid, grey values; each but the last exactly undone."""

from .axial_view import AxialView
from .body import beyond_image, body_mask
from .intensity import grey_statistics, keep_near, scale_window, standardise
from .slice_frame import SliceFrame, neighbours
from .volume_frame import VolumeFrame

__all__ = [
    "AxialView",
    "SliceFrame",
    "VolumeFrame",
    "beyond_image",
    "body_mask",
    "grey_statistics",
    "keep_near",
    "neighbours",
    "scale_window",
    "standardise",
]
