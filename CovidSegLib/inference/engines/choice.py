"""Choose the engine for a device without importing PyTorch, which takes seconds."""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache
from importlib import metadata
from importlib.util import find_spec

#: Names that the command line accepts.
ENGINES = ("auto", "openvino", "torch")
_DRIVERS = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}


def openvino_serves(device: str) -> bool:
    """Return whether OpenVINO runs exported networks on a device, if the choice is left to CovidSeg.

    It does on a CPU if it is installed, and PyTorch has no GPU to use.

    Args:
        device: "auto", "cpu" or "cuda", see `choose_device`.
    """
    if find_spec("openvino") is None:
        return False
    if device == "cpu":
        return True
    return device == "auto" and not (torch_may_find_gpu() and _torch_finds_gpu())


def torch_may_find_gpu() -> bool:
    """Return whether PyTorch is installed and there is a GPU that it might use; if not, it need not be imported."""
    if find_spec("torch") is None:
        return False
    return has_nvidia_gpu() or "rocm" in metadata.version("torch")


@lru_cache(maxsize=1)
def has_nvidia_gpu() -> bool:
    """Ask NVIDIA's driver, which is part of the system, whether there is a GPU."""
    library = _DRIVERS.get(sys.platform)
    if library is None:
        return False
    try:
        driver = ctypes.CDLL(library)
        count = ctypes.c_int(0)
        return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
    except (OSError, AttributeError):
        return False


def _torch_finds_gpu() -> bool:
    import torch

    return torch.cuda.is_available()
