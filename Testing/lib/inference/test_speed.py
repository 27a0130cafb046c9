"""A network that has become much slower is noticed, on any machine."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from CovidSegLib import models
from CovidSegLib.models.exported import load_exported

#: CPU time of the infection network for a slice, in products of two float32 matrices of 1024 x 1024 in numpy. Measured
#: on a Xeon with AVX-512. PyTorch takes about three times as long.
STORED_RATIO = 1.7
#: Machines and their load differ: what takes 2.5 times as long is noticed.
MARGIN = 2.5


def best_cpu_seconds(work: Callable[[], object], repetitions: int = 5) -> float:
    """Return the lowest CPU time of several runs, which other programs disturb least."""
    work()
    times = []
    for _ in range(repetitions):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def test_the_infection_network_is_as_fast_as_it_was() -> None:
    infection = load_exported(models.find_model(), ["infection"])["infection"]
    images = np.random.default_rng(0).random((4, *infection.stage.input_shape), dtype=np.float32)
    matrix = np.ones((1024, 1024), np.float32)
    unit = best_cpu_seconds(lambda: matrix @ matrix)
    network = best_cpu_seconds(lambda: infection.slice_network.run(images)) / len(images)
    assert network / unit < MARGIN * STORED_RATIO, f"{network / unit:.2f} products of matrices a slice"
    assert network / unit > STORED_RATIO / 10, "the unit is not what it was"
