"""A stage that trains on `tiny_case` in seconds, and its training log."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

from support.stages import slice_stage

from CovidSegLib.recipe import Augmentation, Component, Training
from CovidSegLib.training.task import StageTask

DYNUNET = {"spatial_dims": 2, "in_channels": 1, "out_channels": 1, "kernel_size": [3, 3, 3], "strides": [1, 2, 2],
           "upsample_kernel_size": [2, 2], "filters": [8, 12, 16], "norm_name": "batch"}  # fmt: skip
STAGE = slice_stage("DynUNet", DYNUNET, window=(-1000.0, 200.0))
TRAINING = Training(
    {"lungs": 3, "infection": 3},
    batch=4,
    loss=Component("half-bce-half-squared-dice"),
    optimiser=Component("adam", {"learning_rate": 0.03}),
    schedule=Component("one-cycle"),
    augmentation=(Augmentation("chest-ct"),),
    average=0.9,
)

#: Learns nothing, so that it never improves.
STUCK = replace(
    TRAINING,
    epochs={"infection": 20},
    early_stopping=2,
    schedule=Component("plateau", {"patience": 0, "factor": 0.5}),
    optimiser=Component("adam", {"learning_rate": 1e-30}),
    augmentation=(),
)


def make_task(training: Training = TRAINING, **options: Any) -> StageTask:
    """Return the infection stage with a training; `options` are further fields of `StageTask`."""
    return StageTask("infection", **{"stage": STAGE, "training": training, **options})


def metrics(run: Path) -> list[dict[str, str]]:
    """Read metrics.csv."""
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))
