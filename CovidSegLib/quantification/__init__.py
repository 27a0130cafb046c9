"""The numbers of a result: volumes, involvement, mean HU, lesions."""

from .report import quantify

__all__ = ["quantify"]
