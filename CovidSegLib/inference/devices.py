"""Where a network runs, and in which precision."""

from __future__ import annotations

import re

import torch

from ..errors import InputError


def choose_device(name: str) -> torch.device:
    """The device for "auto", "cpu" or "cuda" (also "cuda:1").

    Raises:
        InputError: There is no such device, or no GPU that torch can use.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not re.fullmatch(r"cpu|cuda(:\d{1,2})?", name):
        raise InputError(f"There is no device “{name}”; choose “auto”, “cpu” or “cuda”.")
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError("No GPU that PyTorch can use was found; choose the device “auto” or “cpu”.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"There is no GPU “{name}”, there are {torch.cuda.device_count()}; choose “cuda”.")
    return device


def choose_precision(device: torch.device) -> torch.dtype:
    """float16 on a GPU, bfloat16 on a CPU that multiplies it in hardware, float32 otherwise."""
    if device.type == "cuda":
        return torch.float16
    if device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return torch.bfloat16
    return torch.float32
