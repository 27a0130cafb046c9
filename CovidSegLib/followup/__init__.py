"""Compare a CT with an earlier CT of the same patient: register the lungs, and find what has changed."""

from .changes import CHANGES, Comparison, LesionChange, compare_lesions
from .registration import Registration, register_lungs, resample_labels, resample_volume

__all__ = [
    "CHANGES",
    "Comparison",
    "LesionChange",
    "Registration",
    "compare_lesions",
    "register_lungs",
    "resample_labels",
    "resample_volume",
]
