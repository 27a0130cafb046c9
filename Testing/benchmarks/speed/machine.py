"""The CPU: its name, its instructions, and how fast it multiplies matrices."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

#: Instructions that decide how fast networks run.
INSTRUCTIONS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "bf16")
SIZE = 1024
#: MB in a unit of `resource.getrusage(...).ru_maxrss`.
RSS_MB = (1 if sys.platform == "darwin" else 1024) / 1e6


def describe() -> dict[str, Any]:
    """Return name, number of cores, instructions and load of the CPU."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    facts = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    facts = {key.strip(): value.strip() for key, value in facts.items()}
    flags = set((facts.get("flags") or facts.get("Features") or "").split())
    return {
        "cpu": facts.get("model name") or platform.processor() or platform.machine(),
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "instructions": [name for name in INSTRUCTIONS if name in flags],
        "limited_to": os.environ.get("ONEDNN_MAX_CPU_ISA", ""),
        "system": platform.platform(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }


def calibrate() -> dict[str, float]:
    """Return thousand millions of multiplications and additions per second in float32, bfloat16 and int8, all cores."""
    import torch

    ones = torch.ones(SIZE, SIZE)
    eight = ones.to(torch.int8)
    products: dict[str, Callable[[], object]] = {
        "float32": lambda: ones @ ones,
        "bfloat16": lambda: ones.bfloat16() @ ones.bfloat16(),
        "int8": lambda: torch._int_mm(eight, eight),
    }
    return {name: round(2e-9 * SIZE**3 / median_seconds(product)) for name, product in products.items()}


def unit_cpu_seconds(repetitions: int = 7) -> float:
    """Return the CPU time of a float32 product of matrices in numpy: the unit to which stored ratios refer."""
    matrix = np.ones((SIZE, SIZE), np.float32)
    return best_cpu_seconds(lambda: matrix @ matrix, repetitions)


def best_cpu_seconds(work: Callable[[], object], repetitions: int) -> float:
    """Return the lowest CPU time of several runs, which other programs disturb least."""
    work()
    times = []
    for _ in range(repetitions):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def median_seconds(work: Callable[[], object], repetitions: int = 9) -> float:
    """Return the median wall time of several runs after one that is not counted."""
    work()
    times = []
    for _ in range(repetitions):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)
