"""Run networks with PyTorch, on a GPU or on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from ...errors import GpuMemoryError
from ..devices import choose_precision


class TorchNetwork:
    """A PyTorch network in evaluation mode.

    Args:
        network: The network on its device.

    Attributes:
        engine: "torch".
    """

    engine = "torch"

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.device = next(network.parameters()).device
        self._precision = choose_precision(self.device)

    @property
    def precision(self) -> str:
        """The type in which the network computes."""
        return str(self._precision).removeprefix("torch.")

    @torch.inference_mode()
    def run(self, images: np.ndarray) -> np.ndarray:
        """Return logits; see `SliceNetwork`."""
        with gpu_memory_errors(), autocast(self.device):
            image = torch.from_numpy(np.ascontiguousarray(images))
            logits = self.network(image.to(self.device, memory_format=torch.channels_last))
            return logits.float().cpu().numpy()


def autocast(device: torch.device) -> torch.autocast:
    """Return the context in which networks compute in the precision that suits a device."""
    precision = choose_precision(device)
    return torch.autocast(device.type, precision, enabled=precision != torch.float32)


@contextmanager
def gpu_memory_errors() -> Iterator[None]:
    """Explain that the memory of the GPU has run out, and free what PyTorch keeps of it.

    Raises:
        GpuMemoryError: In place of PyTorch's own error.
    """
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError):
            torch.cuda.empty_cache()
        elif str(error).startswith("MPS backend out of memory"):  # which has no class of its own
            torch.mps.empty_cache()
        else:
            raise
        raise GpuMemoryError(
            'The GPU has too little free memory. Choose the device "cpu", or close other programs.'
        ) from error
