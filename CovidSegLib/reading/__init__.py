"""Read a CT from a DICOM folder or an image file."""

from .volume_reader import read_volume

__all__ = ["read_volume"]
