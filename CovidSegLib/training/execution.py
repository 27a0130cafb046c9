"""Where a training runs and where it reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from ..inference import choose_precision
from ..progress import Progress, silent
from ..recipe import Stage
from .distributed import ProcessGroup


def default_device() -> torch.device:
    """Return the GPU if there is one, otherwise the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclass(frozen=True)
class Execution:
    """Where a training runs and where it reports. On a CPU none of this changes the trained weights.

    Attributes:
        device: Device of the network.
        workers: Number of subprocesses that prepare batches; 0 prepares them in the training process.
        process_group: The processes that train one network together.
        log: Receives sentences for the user.
        progress: Receives the stage and the fraction of its steps that is done; may raise `Cancelled`.
    """

    device: torch.device = field(default_factory=default_device)
    workers: int = 2
    process_group: ProcessGroup = field(default_factory=ProcessGroup)
    log: Callable[[str], None] = print
    progress: Progress = silent


def training_precision(stage: Stage, device: torch.device) -> torch.dtype:
    """Return the type in which a network is trained: bfloat16 where the device supports it, otherwise float32.

    Three-dimensional networks are trained in float32 on a CPU. There, the bfloat16 gradient of a convolution's weights
    in torch 2.13 reads uninitialised memory if the feature maps are two voxels deep and their number is a multiple of
    16, and is occasionally NaN or 1e37. The forward pass is correct.
    """
    if device.type == "cuda":
        return torch.bfloat16
    return torch.float32 if stage.patches is not None else choose_precision(device)
