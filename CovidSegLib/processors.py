"""The processors that this process may use."""

from __future__ import annotations

import os


def processors() -> list[int]:
    """Return the numbers of the processors that this process may use: under Slurm, those of the job."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))
