"""List the devices that can compute, and their memory."""

from __future__ import annotations

import os
from typing import Any

from .engines.choice import torch_may_find_gpu


def available_devices() -> list[dict[str, Any]]:
    """Return the devices that `choose_device` accepts, except "mps". The one that "auto" chooses comes first.

    Returns:
        For each device `device` ("cuda:0", "cpu"), `name`, and for a GPU `free_mb` and `total_mb`; None for the CPU.
    """
    devices = _gpus() if torch_may_find_gpu() else []
    cpu = {"device": "cpu", "name": f"CPU, {os.cpu_count()} cores", "free_mb": None, "total_mb": None}
    return [*devices, cpu]


def _gpus() -> list[dict[str, Any]]:
    import torch

    return [_gpu(index) for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0)]


def _gpu(index: int) -> dict[str, Any]:
    import torch

    free, total = torch.cuda.mem_get_info(index)
    name = torch.cuda.get_device_name(index)
    return {"device": f"cuda:{index}", "name": name, "free_mb": free >> 20, "total_mb": total >> 20}
