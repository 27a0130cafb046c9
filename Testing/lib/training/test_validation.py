"""What is measured of a stage while it learns is what the pipeline would give."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.stages import slice_stage
from support.tiny_case import chest_case
from torch import nn

from CovidSegLib.data.case import Case
from CovidSegLib.inference import LoadedStage, Probabilities
from CovidSegLib.training import validation
from CovidSegLib.training.validation import validate


def everywhere(monkeypatch: pytest.MonkeyPatch, case: Case) -> float:
    """Dice of a network that finds infection wherever it looks."""
    full = np.full(case.scan.shape, 255, dtype=np.uint8)
    monkeypatch.setattr(validation, "predict", lambda *given: Probabilities(infection=full))
    return validate("infection", LoadedStage(slice_stage(), nn.Identity()), [case])[0]


def test_nothing_is_found_outside_the_lungs(monkeypatch: pytest.MonkeyPatch) -> None:
    case = chest_case()
    infected, lungs = int(case.infection.sum()), int(case.lungs.sum())
    assert everywhere(monkeypatch, case) == pytest.approx(2 * infected / (infected + lungs))


def test_where_nobody_drew_the_lungs_all_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    case = chest_case()
    case = replace(case, masks={"infection": case.infection})
    infected = int(case.infection.sum())
    assert everywhere(monkeypatch, case) == pytest.approx(2 * infected / (infected + case.scan.hu.size))
