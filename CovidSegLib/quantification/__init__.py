"""Quantification of a segmentation: volumes, involvement, mean HU and lesions."""

from .report import quantify

__all__ = ["quantify"]
