"""Models of lung tumours segment tumours, and nothing of their results is called infection."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from support.phantoms import COARSE, flipped_oblique_grid, phantom_on

from CovidSegLib import models, tumours
from CovidSegLib.cli import main as cli
from CovidSegLib.errors import InputError
from CovidSegLib.inference.probabilities import Probabilities
from CovidSegLib.models.untrained import untrained_model
from CovidSegLib.preprocessing import AxialView
from CovidSegLib.tumours import segment_tumours

#: The recipe of the paper with a narrow network and small patches.
TINY = """
like = "qc-hc-unet-msd"
name = "tiny-tumours"
title = "Tiny"
[infection]
arguments.features = 2
patches.size = [16, 32, 32]
patches.spacing_mm = [16.0, 10.0, 10.0]
patches.overlap = 0.0
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(TINY, encoding="utf-8")
    return path


@pytest.mark.usefixtures("one_thread")
def test_tumours_lie_where_the_probability_reaches_the_threshold(monkeypatch: pytest.MonkeyPatch, recipe: Path) -> None:
    phantom = phantom_on(flipped_oblique_grid())
    expected = np.where(phantom.infection, 153, 152).astype(np.uint8)  # 0.6 is 153 of 255
    in_view = AxialView.of(phantom.volume.grid).apply(expected)
    monkeypatch.setattr(tumours, "predict", lambda *given: Probabilities(tumour=in_view.copy()))
    found = segment_tumours(phantom.volume, untrained_model(str(recipe)), threshold=0.6)
    np.testing.assert_array_equal(found.tumour, phantom.infection)
    np.testing.assert_array_equal(found.probability, expected)
    assert found.grid == phantom.volume.grid and found.tumour.flags["C_CONTIGUOUS"]
    assert found.provenance["settings"] == {"tumour_threshold": 0.6, "temperature": 1.0}
    assert any("are untrained" in warning for warning in found.warnings)


def test_a_model_of_infection_does_not_segment_tumours() -> None:
    with pytest.raises(InputError, match=r"finds infection but no tumour\. Choose a model that finds tumour"):
        segment_tumours(phantom_on(COARSE).volume, models.find_model())


@pytest.mark.usefixtures("one_thread")
def test_the_command_writes_tumours_and_nothing_else(tmp_path: Path, recipe: Path) -> None:
    ct, out = tmp_path / "ct.nii.gz", tmp_path / "out"
    grid = flipped_oblique_grid()
    sitk.WriteImage(phantom_on(grid).volume.to_image(), str(ct))
    command = ["segment", str(ct), "-o", str(out), "--recipe", str(recipe)]
    assert cli.main(command) == 0
    names = ["tumour.json", "tumour.nii.gz", "tumour.seg.nrrd", "tumour_probability.nii.gz"]
    assert sorted(path.name for path in out.iterdir()) == names
    report = json.loads((out / "tumour.json").read_text(encoding="utf-8"))
    mask = sitk.ReadImage(str(out / "tumour.nii.gz"))
    probability = sitk.GetArrayFromImage(sitk.ReadImage(str(out / "tumour_probability.nii.gz")))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(mask), probability >= 128)
    np.testing.assert_allclose(mask.GetDirection(), grid.direction, atol=1e-6)
    np.testing.assert_allclose(mask.GetOrigin(), grid.origin, atol=1e-3)
    assert report["volume_ml"] == pytest.approx((probability >= 128).sum() * grid.voxel_ml, abs=0.001)
    assert "infection" not in json.dumps({**report, "input": None, "provenance": None})
    assert cli.main(command) == cli.UNUSABLE, "earlier results are kept"
    assert cli.main([*command, "--overwrite", "--report"]) == cli.UNUSABLE
