"""Apply the network of a stage to a whole scan, in slices or in patches."""

from .devices import choose_device, choose_precision
from .loaded_stage import LoadedStage
from .prediction import predict, predict_labels
from .probabilities import Probabilities
from .regions import slice_frame, volume_frame

__all__ = [
    "LoadedStage",
    "Probabilities",
    "choose_device",
    "choose_precision",
    "predict",
    "predict_labels",
    "slice_frame",
    "volume_frame",
]
