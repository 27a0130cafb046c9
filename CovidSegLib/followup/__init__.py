"""Compare a CT with an earlier CT of the same patient: register the lungs, and find what has changed."""

from .changes import CHANGES, Comparison, LesionChange, compare_lesions, lesion_components
from .comparison import FollowUp, Place, follow_up
from .regions import Amount, RegionChange
from .registration import Registration, register_lungs, resample_labels, resample_volume
from .report import report_of
from .time_point import TimePoint

__all__ = [
    "CHANGES",
    "Amount",
    "Comparison",
    "FollowUp",
    "LesionChange",
    "Place",
    "RegionChange",
    "Registration",
    "TimePoint",
    "compare_lesions",
    "follow_up",
    "lesion_components",
    "register_lungs",
    "report_of",
    "resample_labels",
    "resample_volume",
]
