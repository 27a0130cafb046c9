"""Quantification of a segmentation: volumes, involvement, HU, lesions, severity; as a report, and live during edits."""

from .report import quantify

__all__ = ["quantify"]
