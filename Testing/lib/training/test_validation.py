"""Validation measures what the pipeline would return."""

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


def dice_of_infection_everywhere(monkeypatch: pytest.MonkeyPatch, case: Case) -> float:
    """Return the Dice of a network that predicts infection in every voxel."""
    full = np.full(case.scan.shape, 255, dtype=np.uint8)
    monkeypatch.setattr(validation, "predict", lambda *given: Probabilities(infection=full))
    return validate("infection", LoadedStage(slice_stage(), nn.Identity()), [case])[0]


def test_nothing_is_predicted_outside_the_lungs(monkeypatch: pytest.MonkeyPatch) -> None:
    case = chest_case()
    infected, lungs = int(case.infection.sum()), int(case.lungs.sum())
    assert dice_of_infection_everywhere(monkeypatch, case) == pytest.approx(2 * infected / (infected + lungs))


def test_without_a_lung_mask_the_whole_scan_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    case = chest_case()
    case = replace(case, masks={"infection": case.infection})
    infected = int(case.infection.sum())
    assert dice_of_infection_everywhere(monkeypatch, case) == pytest.approx(
        2 * infected / (infected + case.scan.hu.size)
    )


def test_tumours_are_validated_like_infection(monkeypatch: pytest.MonkeyPatch) -> None:
    case = chest_case()
    case = replace(case, masks={"tumour": case.infection}, known={"tumour": case.infection_known})
    tumour = (case.mask("tumour") * 255).astype(np.uint8)
    monkeypatch.setattr(validation, "predict", lambda *given: Probabilities(tumour=tumour))
    loaded = LoadedStage(slice_stage(labels=("background", "tumour")), nn.Identity())
    assert validate("infection", loaded, [case])[0] == 1.0
