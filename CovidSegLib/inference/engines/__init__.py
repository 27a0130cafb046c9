"""Engines: what runs a network that processes slices.

On a GPU, PyTorch does. On a CPU, OpenVINO runs networks that were exported when their model was packed: it is several
times faster than PyTorch there, and much smaller. Networks that were not exported run in PyTorch on the CPU too.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class SliceNetwork(Protocol):
    """A network with its weights that an engine has made ready.

    Attributes:
        engine: Name of the engine, "openvino" or "torch".
        precision: Type in which it computes, "float32", "bfloat16" or "float16".
    """

    @property
    def engine(self) -> str: ...

    @property
    def precision(self) -> str: ...

    def run(self, images: np.ndarray) -> np.ndarray:
        """Return float32 logits (n, labels, rows, columns) of images (n, channels, rows, columns).

        Raises:
            GpuMemoryError: The GPU has too little free memory for so many images.
        """
