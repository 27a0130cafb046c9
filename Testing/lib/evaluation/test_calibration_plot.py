"""The reliability diagram shows any number of models."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import numpy as np
from support.calibrations import random_calibration

from CovidSegLib.evaluation.calibration_plot import draw_reliability
from CovidSegLib.metrics.calibration import Calibration


def test_models_are_drawn_together(tmp_path: Path, rng: np.random.Generator) -> None:
    shapes = set()
    for number, models in enumerate(
        (
            {},
            {"one": [random_calibration(rng)]},
            {"one": [random_calibration(rng), random_calibration(rng)], "two": [random_calibration(rng, 0.2)]},
        )
    ):
        draw_reliability(tmp_path / f"{number}.png", {**models, "none": [Calibration()]})
        picture = matplotlib.image.imread(tmp_path / f"{number}.png")
        shapes.add(picture.shape)
        coloured = np.ptp(picture[..., :3], axis=-1) > 0.3
        assert bool(coloured.any()) == bool(models)
    assert len(shapes) == 1
