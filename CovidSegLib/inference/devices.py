"""Choose the device and the precision for inference."""

from __future__ import annotations

import platform
import re
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    import torch


def choose_device(name: str) -> torch.device:
    """Return the device with the given name.

    Args:
        name: "auto" (an NVIDIA or AMD GPU if there is one), "cpu", "cuda", a certain GPU such as "cuda:1", or "mps",
            the GPU of an Apple computer. That one is never chosen automatically, because it has not been measured.

    Raises:
        InputError: There is no such device, or no GPU that PyTorch can use.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    check_device_name(name)
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError('No GPU that PyTorch can use was found. Choose the device "auto" or "cpu".')
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise InputError('No Apple GPU that PyTorch can use was found. Choose the device "auto" or "cpu".')
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise InputError(f'There is no GPU "{name}" (number of GPUs: {count}). Choose "cuda".')
    return device


def check_device_name(name: str) -> None:
    """Check that a name can be one of a device, without importing torch.

    Raises:
        InputError: It cannot.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,2})?|mps", name):
        raise InputError(f'There is no device "{name}". Choose "auto", "cpu", "cuda" or "mps".')


def choose_precision(device: torch.device) -> torch.dtype:
    """Return float16 for a GPU, bfloat16 for a CPU that has instructions for it, and float32 otherwise."""
    import torch

    if device.type == "cuda":
        return torch.float16
    if device.type == "cpu" and has_bfloat16_instructions():
        return torch.bfloat16
    return torch.float32


def has_bfloat16_instructions() -> bool:
    """Return whether the CPU multiplies bfloat16 in hardware.

    oneDNN also supports bfloat16 on CPUs with AVX-512 alone, but emulates it there: twice as slow as float32.
    """
    import torch

    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return True
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
