"""How workers share the processors and the GPUs of a computer."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ...errors import InputError
from ...inference.engines.choice import torch_may_find_gpu
from ...processors import processors

#: Memory that a worker needs for a scan of several hundred slices, see docs/cohorts.md.
WORKER_MB = 2500
#: Processors for a worker. Reading, surfaces and pictures use only one, so that more would be idle half of the time.
WORKER_PROCESSORS = 2


@dataclass(frozen=True)
class Share:
    """What a worker may use.

    Attributes:
        device: Name of its device.
        threads: Threads of its numerical libraries; None for their default.
        processors: Its processors, or empty for all.
    """

    device: str
    threads: int | None = None
    processors: tuple[int, ...] = ()


def shares(workers: int | None, device: str) -> list[Share]:
    """Divide this computer among workers.

    Args:
        workers: Their number. If None: one for each GPU, or without GPUs as many as processors and memory allow.
        device: "auto", "cpu" or "cuda". A single GPU, such as "cuda:1", is shared by all workers.

    Raises:
        InputError: The number is not positive.
    """
    if workers is not None and workers < 1:
        raise InputError("At least one worker is needed.")
    gpus = count_gpus() if device in ("auto", "cuda") else 0
    own = processors()
    if workers is None:
        workers = gpus or (1 if device.startswith("cuda") else _default_workers(len(own)))
    devices = [f"cuda:{slot % gpus}" if gpus else device for slot in range(workers)]
    if workers == 1:
        return [Share(devices[0])]
    each = max(1, len(own) // workers)
    pinned = [tuple(own[slot * each : (slot + 1) * each]) for slot in range(workers)]
    return [Share(name, each, part) for name, part in zip(devices, pinned, strict=True)]


def count_gpus() -> int:
    """Return the number of GPUs that PyTorch can use."""
    if not torch_may_find_gpu():
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _default_workers(processors: int) -> int:
    by_memory = _memory_mb() // WORKER_MB
    return max(1, min(processors // WORKER_PROCESSORS, by_memory))


def _memory_mb() -> int:
    """Return the memory of this computer in MB, or a cautious guess if the system does not report it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024**2
    except (AttributeError, ValueError, OSError):
        return 4 * WORKER_MB
