"""From a CT to masks: right, within the lungs, the same whatever way the array is turned, and stoppable."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from scipy import ndimage
from support.grids import rotation
from support.phantoms import COARSE, UPPER, dice, phantom_on

from CovidSegLib import models, pipeline
from CovidSegLib.checks import CUT_LUNG_MM2
from CovidSegLib.errors import Cancelled, InputError
from CovidSegLib.inference import Probabilities
from CovidSegLib.phantom import Phantom
from CovidSegLib.pipeline import segment
from CovidSegLib.preprocessing import AxialView
from CovidSegLib.segmentation import Segmentation
from CovidSegLib.volume import AxialScan, Grid, Volume

#: What the released model must reach on the phantom; on patients it is measured elsewhere.
LUNGS_DICE, INFECTION_DICE = 0.9, 0.6
HEALTHY_PERCENT = 0.5


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return phantom_on(COARSE)


@pytest.fixture(scope="module")
def told() -> list[tuple[str, float]]:
    """The progress of the run of `found`."""
    return []


@pytest.fixture(scope="module")
def found(phantom: Phantom, told: list[tuple[str, float]]) -> Segmentation:
    return segment(phantom.volume, progress=lambda stage, fraction: told.append((stage, fraction)))


@pytest.fixture(scope="module")
def at_thresholds() -> dict[float, Segmentation]:
    return {
        threshold: segment(phantom_on(UPPER).volume, models.find_model(), threshold=threshold)
        for threshold in (0.2, 0.8)
    }


# The masks


def test_lungs_are_found_each_on_its_side(found: Segmentation, phantom: Phantom) -> None:
    for label in (1, 2):
        assert dice(found.lungs == label, phantom.lungs == label) > LUNGS_DICE
    right_to_left = COARSE.origin[0] + COARSE.spacing[0] * np.arange(COARSE.shape[2])
    across = [np.average(right_to_left, weights=(found.lungs == label).sum(axis=(0, 1))) for label in (1, 2)]
    assert across[0] < -50 < 50 < across[1]


def test_lungs_that_the_second_network_finds_take_the_place_of_the_first_s(
    phantom: Phantom, monkeypatch: pytest.MonkeyPatch
) -> None:
    lungs = AxialView.of(COARSE).apply(phantom.lungs > 0)
    rough = ndimage.binary_erosion(lungs, np.ones((1, 3, 3)), iterations=2)
    given: list[np.ndarray] = []

    def predict(stage: object, scan: AxialScan, known: np.ndarray | None, *rest: object) -> object:
        if known is None:
            return Probabilities(lungs=rough * np.uint8(255))
        given.append(known)
        return Probabilities(lungs * np.uint8(255), np.zeros(scan.shape, np.uint8))

    monkeypatch.setattr(pipeline, "predict", predict)
    found = segment(phantom.volume, models.find_model())
    assert dice(given[0], rough) > 0.97 > dice(rough, lungs)
    assert dice(found.lungs > 0, phantom.lungs > 0) > 0.99


def test_no_lung_is_found_where_there_is_no_image(phantom: Phantom, monkeypatch: pytest.MonkeyPatch) -> None:
    array = phantom.volume.array.copy()
    array[:, :, :12] = -1024

    def predict(stage: object, scan: AxialScan, *rest: object) -> object:
        lungs = phantom.lungs > 0
        lungs[:, 5:-5, 2:8] = True
        return Probabilities(lungs * np.uint8(255), np.zeros(scan.shape, np.uint8))

    monkeypatch.setattr(pipeline, "predict", predict)
    found = segment(Volume(array, COARSE), models.find_model()).lungs > 0
    assert not found[:, :, :12].any() and dice(found, phantom.lungs > 0) > 0.97


def test_infection_is_found(found: Segmentation, phantom: Phantom) -> None:
    assert dice(found.infection, phantom.infection) > INFECTION_DICE


def test_healthy_lungs_have_hardly_any_infection() -> None:
    healthy = segment(phantom_on(UPPER, infected=False).volume, models.find_model())
    assert 100 * healthy.infection.sum() / (healthy.lungs > 0).sum() < HEALTHY_PERCENT


def test_infection_and_its_probability_lie_within_the_lungs(found: Segmentation) -> None:
    assert not found.probability[found.lungs == 0].any()
    assert not found.infection[found.lungs == 0].any()
    assert (found.probability[found.infection] >= round(models.find_model().threshold * 255)).all()
    assert found.probability.max() > 128


def test_the_result_is_on_the_grid_of_the_ct(found: Segmentation, phantom: Phantom) -> None:
    assert found.grid == phantom.volume.grid
    for array, dtype in ((found.lungs, np.uint8), (found.infection, bool), (found.probability, np.uint8)):
        assert array.shape == COARSE.shape
        assert array.dtype == dtype
        assert array.flags.c_contiguous


def test_a_turned_array_gives_the_same_masks(found: Segmentation, phantom: Phantom) -> None:
    """Stored as sagittal slices, two axes run to the other side, and the patient lies askew."""
    code = "ASR"
    turned = sitk.DICOMOrient(phantom.volume.to_image(), code)
    askew = rotation(9, -7, 12) @ np.reshape(turned.GetDirection(), (3, 3))
    turned.SetDirection(askew.ravel().tolist())
    again = segment(Volume.of_image(turned), models.find_model())
    for name in ("lungs", "infection", "probability"):
        expected = sitk.DICOMOrient(found.grid.to_image(getattr(found, name).astype(np.uint8)), code)
        np.testing.assert_array_equal(getattr(again, name), sitk.GetArrayFromImage(expected))
    assert again.grid == Grid.of_image(turned)


def test_a_higher_threshold_finds_less(at_thresholds: dict[float, Segmentation]) -> None:
    low, high = at_thresholds[0.2], at_thresholds[0.8]
    assert low.infection.sum() > high.infection.sum() > 0
    assert low.infection[high.infection].all()
    assert [at_thresholds[value].provenance["settings"]["infection_threshold"] for value in (0.2, 0.8)] == [0.2, 0.8]


def test_a_scan_cut_off_in_the_middle_of_the_lungs_works_with_a_warning(
    at_thresholds: dict[float, Segmentation],
) -> None:
    cut = at_thresholds[0.8]
    assert any("ends within the lungs, above their bases" in warning for warning in cut.warnings)
    assert not any("begins within" in warning for warning in cut.warnings)
    truth = phantom_on(UPPER).lungs > 0
    assert truth[0].sum() * UPPER.spacing[0] * UPPER.spacing[1] > CUT_LUNG_MM2
    assert dice(cut.lungs > 0, truth) > LUNGS_DICE


def test_warnings_about_the_ct_are_handed_on(found: Segmentation) -> None:
    assert any("10 mm apart" in warning for warning in found.warnings)
    assert not any("within the lungs" in warning for warning in found.warnings)


# What is told of it


def test_progress_goes_from_nothing_to_all_in_plain_words(found: Segmentation, told: list[tuple[str, float]]) -> None:
    fractions = [fraction for _, fraction in told]
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert fractions == sorted(fractions)
    assert max(np.diff(fractions)) <= 0.25
    stages = list(dict.fromkeys(stage for stage, _ in told))
    assert stages[:2] == ["Checking the CT", "Loading the model"]
    assert {"Finding the lungs", "Finding the infection"} < set(stages)


def test_provenance_says_what_made_the_result(found: Segmentation) -> None:
    model, provenance = models.find_model(), found.provenance
    assert json.loads(json.dumps(provenance, allow_nan=False)) == provenance
    assert provenance["model"]["name"] == model.name
    assert provenance["model"]["sha256"] == model.card["sha256"]
    assert provenance["settings"]["infection_threshold"] == model.threshold
    assert provenance["device"] == ("cuda" if torch.cuda.is_available() else "cpu")
    assert provenance["precision"] in ("float32", "bfloat16", "float16")
    assert provenance["versions"]["torch"] == torch.__version__
    seconds = dict(provenance["seconds"])
    assert seconds.pop("total") == pytest.approx(sum(seconds.values()), abs=0.5)


# Ends before the end


@pytest.mark.parametrize("at", ["Checking the CT", "Finding the lungs", "Finding the infection"])
def test_it_stops_where_progress_is_told_to(at: str) -> None:
    stages = []

    def progress(stage: str, fraction: float) -> None:
        stages.append(stage)
        if stage == at:
            raise Cancelled

    with pytest.raises(Cancelled):
        segment(phantom_on(UPPER).volume, models.find_model(), progress=progress)
    assert stages[-1] == at
    assert stages.count(at) == 1


def test_an_image_without_lungs_is_told() -> None:
    rows, columns = np.mgrid[:80, :80]
    water = np.where(np.hypot(rows - 40, columns - 40) < 30, 30, -1000) + np.arange(80) % 7
    volume = Volume(np.repeat(water[None], 12, axis=0).astype(np.int16), Grid((12, 80, 80), (4.0, 4.0, 5.0)))
    with pytest.raises(InputError, match="There are no lungs found"):
        segment(volume, models.find_model())


def test_what_is_no_ct_is_told_before_anything_is_loaded(phantom: Phantom) -> None:
    labels = Volume(phantom.lungs.astype(np.int16), COARSE)
    stages: list[str] = []
    with pytest.raises(InputError, match="is a segmentation"):
        segment(labels, models.find_model(), progress=lambda stage, fraction: stages.append(stage))
    assert stages == ["Checking the CT"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gives_nearly_the_same_masks(phantom: Phantom) -> None:
    gpu, cpu = (segment(phantom.volume, models.find_model(), device=device) for device in ("cuda", "cpu"))
    assert (gpu.provenance["device"], gpu.provenance["precision"]) == ("cuda", "float16")
    assert dice(gpu.lungs > 0, cpu.lungs > 0) > 0.995
    assert dice(gpu.infection, cpu.infection) > 0.97
