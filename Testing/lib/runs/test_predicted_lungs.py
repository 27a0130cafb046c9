"""The infection can be trained within the lungs that the lung stage of the run predicts (CHS-Net)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.tiny_case import chest_case
from support.tiny_run import RECIPE

from CovidSegLib import networks, recipes
from CovidSegLib.data.case import Case
from CovidSegLib.data.split import Split
from CovidSegLib.errors import InputError
from CovidSegLib.runs import run as training
from CovidSegLib.runs.config import RunConfig
from CovidSegLib.training.loop import TrainedStage


@pytest.mark.parametrize("lungs", ["target", "predicted"])
def test_the_infection_stage_receives_these_lungs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lungs: str) -> None:
    given: dict[str, list[int]] = {}

    def train_stage(task: Any, train: Sequence[Case], validation: Sequence[Case], *_: object) -> TrainedStage:
        given[task.name] = [int(case.lungs.sum()) for case in (*train, *validation)]
        return TrainedStage(networks.build(task.stage.network, task.stage.arguments), 1, None, 0, 1)

    def predicted(cases: Sequence[Case], loaded: Any, progress: object) -> list[Case]:
        assert loaded.stage.labels == ("lungs",)
        return [replace(case, masks={**case.masks, "lungs": np.zeros_like(case.lungs)}) for case in cases]

    monkeypatch.setattr(training, "train_stage", train_stage)
    monkeypatch.setattr(training, "with_predicted_lungs", predicted)
    (tmp_path / "tiny.toml").write_text(RECIPE + f'[training]\nlungs = "{lungs}"\n')
    text = recipes.resolved_toml(str(tmp_path / "tiny.toml"))
    config = RunConfig(text, recipes.parse(text, "tiny"), Split(("a",), ("b",), (), 0), ("lungs", "infection"))
    training.train_run(tmp_path / "run", config, [chest_case("a")], [chest_case("b")])
    whole = int(chest_case().lungs.sum())
    assert given == {"lungs": [whole] * 2, "infection": [whole * (lungs == "target")] * 2}
    if lungs == "predicted":
        with pytest.raises(InputError, match='Train its stage "lungs", too'):
            training.train_run(tmp_path / "other", replace(config, stages=("infection",)), [chest_case("a")], [])
