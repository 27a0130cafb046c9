"""A network that has become much slower is noticed, on any machine."""

from __future__ import annotations

import numpy as np
from benchmarks.speed import rivals
from benchmarks.speed.machine import best_cpu_seconds, unit_cpu_seconds

from CovidSegLib import models
from CovidSegLib.models.exported import load_exported
from CovidSegLib.volume import AxialScan, AxialSpacing

#: CPU time of the infection network for a slice, in products of two float32 matrices of 1024 x 1024 in numpy. Measured
#: on a Xeon with AVX-512. PyTorch takes about three times as long.
STORED_RATIO = 1.7
#: Machines and their load differ: what takes 2.5 times as long is noticed.
MARGIN = 2.5


def test_the_infection_network_is_as_fast_as_it_was() -> None:
    infection = load_exported(models.find_model(), ["infection"])["infection"]
    images = np.random.default_rng(0).random((4, *infection.stage.input_shape), dtype=np.float32)
    unit = unit_cpu_seconds()
    network = best_cpu_seconds(lambda: infection.slice_network.run(images), repetitions=5) / len(images)
    assert network / unit < MARGIN * STORED_RATIO, f"{network / unit:.2f} products of matrices a slice"
    assert network / unit > STORED_RATIO / 10, "the unit is not what it was"


def test_rivals_are_given_what_the_network_takes() -> None:
    stage = load_exported(models.find_model(), ["infection"])["infection"].stage
    images = rivals.images_of(stage, AxialScan(np.zeros((40, 32, 48), np.int16), AxialSpacing(1.0, 1.0, 1.0)))
    assert images.shape == (rivals.SAMPLE, stage.input_shape[0], 32, 48)
