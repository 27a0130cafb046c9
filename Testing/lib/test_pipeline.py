"""The path from a CT to masks: accuracy on the phantom, geometry, progress, provenance and cancellation."""

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
from CovidSegLib.models.untrained import untrained_model
from CovidSegLib.phantom import Phantom
from CovidSegLib.pipeline import segment
from CovidSegLib.postprocessing import SMALLEST_LUNG_PIECE_ML
from CovidSegLib.preprocessing import AxialView, outside_body
from CovidSegLib.segmentation import Segmentation
from CovidSegLib.volume import AxialScan, Grid, Volume

#: Minimum for the released model on the phantom. test_real_scans.py measures it on patients.
LUNGS_DICE, INFECTION_DICE = 0.9, 0.6
HEALTHY_PERCENT = 0.5


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return phantom_on(COARSE)


@pytest.fixture(scope="module")
def progress_events() -> list[tuple[str, float]]:
    """Steps and fractions that the run of `result` reported."""
    return []


@pytest.fixture(scope="module")
def result(phantom: Phantom, progress_events: list[tuple[str, float]]) -> Segmentation:
    return segment(phantom.volume, progress=lambda stage, fraction: progress_events.append((stage, fraction)))


@pytest.fixture(scope="module")
def at_thresholds() -> dict[float, Segmentation]:
    return {
        threshold: segment(phantom_on(UPPER).volume, models.find_model(), threshold=threshold)
        for threshold in (0.2, 0.8)
    }


# The masks


def test_each_lung_is_segmented_on_its_side(result: Segmentation, phantom: Phantom) -> None:
    for label in (1, 2):
        assert dice(result.lungs == label, phantom.lungs == label) > LUNGS_DICE
    right_to_left = COARSE.origin[0] + COARSE.spacing[0] * np.arange(COARSE.shape[2])
    across = [np.average(right_to_left, weights=(result.lungs == label).sum(axis=(0, 1))) for label in (1, 2)]
    assert across[0] < -50 < 50 < across[1]


def test_lungs_of_the_second_network_replace_those_of_the_first(
    phantom: Phantom, monkeypatch: pytest.MonkeyPatch
) -> None:
    lungs = AxialView.of(COARSE).apply(phantom.lungs > 0)
    rough = ndimage.binary_erosion(lungs, np.ones((1, 3, 3)), iterations=2)
    masks: list[np.ndarray] = []

    def predict(stage: object, scan: AxialScan, known: np.ndarray | None, *rest: object) -> object:
        if known is None:
            return Probabilities(lungs=rough * np.uint8(255))
        masks.append(known)
        return Probabilities(lungs * np.uint8(255), np.zeros(scan.shape, np.uint8))

    monkeypatch.setattr(pipeline, "predict", predict)
    result = segment(phantom.volume, models.find_model())
    assert dice(masks[0], rough) > 0.97 > dice(rough, lungs)
    assert dice(result.lungs > 0, phantom.lungs > 0) > 0.99


def test_lung_far_from_that_of_the_first_network_is_left_out_with_a_warning(
    phantom: Phantom, monkeypatch: pytest.MonkeyPatch
) -> None:
    lungs = AxialView.of(COARSE).apply(phantom.lungs > 0)
    first = lungs & (np.arange(lungs.shape[2]) < lungs.shape[2] // 2)  # the right lung

    def predict(stage: object, scan: AxialScan, known: np.ndarray | None, *rest: object) -> object:
        found = first if known is None else lungs
        return Probabilities(found * np.uint8(255), np.zeros(scan.shape, np.uint8))

    monkeypatch.setattr(pipeline, "predict", predict)
    result = segment(phantom.volume, models.find_model())
    assert dice(result.lungs == 1, phantom.lungs == 1) > 0.97
    assert np.count_nonzero(result.lungs == 2) < 0.5 * np.count_nonzero(phantom.lungs == 2)
    warning = next(text for text in result.warnings if "looked like lung" in text)
    assert float(warning.split()[0]) > pipeline.DISAGREEMENT_ML


def test_lung_outside_the_body_is_left_out_without_a_warning(phantom: Phantom, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as the air between the folds of a blanket."""
    lungs = AxialView.of(COARSE).apply(phantom.lungs > 0)
    outside = outside_body(AxialView.of(COARSE).scan(phantom.volume))
    assert np.count_nonzero(outside) * COARSE.voxel_ml > pipeline.DISAGREEMENT_ML

    def predict(stage: object, scan: AxialScan, known: np.ndarray | None, *rest: object) -> object:
        found = lungs if known is None else lungs | outside
        return Probabilities(found * np.uint8(255), np.zeros(scan.shape, np.uint8))

    monkeypatch.setattr(pipeline, "predict", predict)
    result = segment(phantom.volume, models.find_model())
    assert dice(result.lungs > 0, phantom.lungs > 0) > 0.99
    assert not [text for text in result.warnings if "looked like lung" in text]


def test_there_is_no_lung_outside_the_field_of_view(phantom: Phantom, monkeypatch: pytest.MonkeyPatch) -> None:
    array = phantom.volume.array.copy()
    array[:, :, :12] = -1024

    def predict(stage: object, scan: AxialScan, *rest: object) -> object:
        lungs = phantom.lungs > 0
        lungs[:, 5:-5, 2:8] = True
        return Probabilities(lungs * np.uint8(255), np.zeros(scan.shape, np.uint8))

    monkeypatch.setattr(pipeline, "predict", predict)
    result = segment(Volume(array, COARSE), models.find_model()).lungs > 0
    assert not result[:, :, :12].any() and dice(result, phantom.lungs > 0) > 0.97


def predict_lungs(monkeypatch: pytest.MonkeyPatch, lungs: np.ndarray) -> None:
    """Replace the networks: they predict these lungs, and no infection."""

    def predict(stage: object, scan: AxialScan, *rest: object) -> object:
        return Probabilities(lungs * np.uint8(255), np.zeros(scan.shape, np.uint8))

    monkeypatch.setattr(pipeline, "predict", predict)


def test_lung_that_reaches_beyond_the_field_of_view_is_cut_at_its_edge(
    phantom: Phantom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The padding is part of the same component as the lung, so that no later step removes it."""
    lungs = phantom.lungs > 0
    edge = int(np.flatnonzero(lungs.any(axis=(0, 1)))[0]) + 8
    array = phantom.volume.array.copy()
    array[:, :, :edge] = -1024
    predict_lungs(monkeypatch, lungs)
    result = segment(Volume(array, COARSE), models.find_model()).lungs > 0
    assert lungs[:, :, :edge].sum() > 300
    np.testing.assert_array_equal(result[:, :, :edge].any(), False)
    assert dice(result[:, :, edge:], lungs[:, :, edge:]) > 0.99


def test_gas_within_the_body_is_not_lung(phantom: Phantom, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gas has -1000 HU. The padding of the field of view, with -1024 HU, is removed by another rule."""
    lungs = phantom.lungs > 0
    bowel = np.zeros_like(lungs)
    bowel[:3, 60:100, 70:90] = True
    bowel &= ~ndimage.binary_dilation(lungs, iterations=3)
    array = np.where(bowel, -1000, phantom.volume.array).astype(np.int16)
    predict_lungs(monkeypatch, lungs | bowel)
    result = segment(Volume(array, COARSE), models.find_model()).lungs > 0
    assert bowel.sum() * COARSE.voxel_ml > 2 * SMALLEST_LUNG_PIECE_ML
    assert not result[bowel].any()
    assert dice(result, lungs) > 0.99


def test_infection_is_segmented(result: Segmentation, phantom: Phantom) -> None:
    assert dice(result.infection, phantom.infection) > INFECTION_DICE


def test_healthy_lungs_have_almost_no_infection() -> None:
    healthy = segment(phantom_on(UPPER, infected=False).volume, models.find_model())
    assert 100 * healthy.infection.sum() / (healthy.lungs > 0).sum() < HEALTHY_PERCENT


def test_infection_and_its_probability_lie_within_the_lungs(result: Segmentation) -> None:
    assert not result.probability[result.lungs == 0].any()
    assert not result.infection[result.lungs == 0].any()
    assert (result.probability[result.infection] >= round(models.find_model().threshold * 255)).all()
    assert result.probability.max() > 128


def test_the_result_is_on_the_grid_of_the_ct(result: Segmentation, phantom: Phantom) -> None:
    assert result.grid == phantom.volume.grid
    for array, dtype in ((result.lungs, np.uint8), (result.infection, bool), (result.probability, np.uint8)):
        assert array.shape == COARSE.shape
        assert array.dtype == dtype
        assert array.flags.c_contiguous


def test_a_reoriented_array_gives_the_same_masks(result: Segmentation, phantom: Phantom) -> None:
    """The slices are sagittal, two axes are reversed, and the grid is oblique."""
    code = "ASR"
    reoriented = sitk.DICOMOrient(phantom.volume.to_image(), code)
    oblique = rotation(9, -7, 12) @ np.reshape(reoriented.GetDirection(), (3, 3))
    reoriented.SetDirection(oblique.ravel().tolist())
    again = segment(Volume.of_image(reoriented), models.find_model())
    for name in ("lungs", "infection", "probability"):
        expected = sitk.DICOMOrient(result.grid.to_image(getattr(result, name).astype(np.uint8)), code)
        np.testing.assert_array_equal(getattr(again, name), sitk.GetArrayFromImage(expected))
    assert again.grid == Grid.of_image(reoriented)


def test_a_higher_threshold_gives_less_infection(at_thresholds: dict[float, Segmentation]) -> None:
    low, high = at_thresholds[0.2], at_thresholds[0.8]
    assert low.infection.sum() > high.infection.sum() > 0
    assert low.infection[high.infection].all()
    assert [at_thresholds[value].provenance["settings"]["infection_threshold"] for value in (0.2, 0.8)] == [0.2, 0.8]


def test_a_scan_that_ends_in_the_middle_of_the_lungs_gives_a_warning(
    at_thresholds: dict[float, Segmentation],
) -> None:
    cut = at_thresholds[0.8]
    assert any("ends within the lungs, above their bases" in warning for warning in cut.warnings)
    assert not any("begins within" in warning for warning in cut.warnings)
    target = phantom_on(UPPER).lungs > 0
    assert target[0].sum() * UPPER.spacing[0] * UPPER.spacing[1] > CUT_LUNG_MM2
    assert dice(cut.lungs > 0, target) > LUNGS_DICE


def test_warnings_about_the_ct_are_in_the_result(result: Segmentation) -> None:
    assert any("10 mm apart" in warning for warning in result.warnings)
    assert not any("within the lungs" in warning for warning in result.warnings)


# Progress and provenance


def test_progress_increases_from_0_to_1(result: Segmentation, progress_events: list[tuple[str, float]]) -> None:
    fractions = [fraction for _, fraction in progress_events]
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert fractions == sorted(fractions)
    assert max(np.diff(fractions)) <= 0.25
    stages = list(dict.fromkeys(stage for stage, _ in progress_events))
    assert stages[:2] == ["Checking the CT", "Loading the model"]
    assert {"Finding the lungs", "Finding the infection"} < set(stages)


def test_provenance_describes_how_the_result_was_made(result: Segmentation) -> None:
    model, provenance = models.find_model(), result.provenance
    assert json.loads(json.dumps(provenance, allow_nan=False)) == provenance
    assert provenance["model"]["name"] == model.name
    assert provenance["model"]["sha256"] == model.card["sha256"]
    assert provenance["settings"]["infection_threshold"] == model.threshold
    assert provenance["device"] == ("cuda" if torch.cuda.is_available() else "cpu")
    assert provenance["precision"] in ("float32", "bfloat16", "float16")
    assert provenance["engine"] == ("torch" if torch.cuda.is_available() else "openvino")
    assert provenance["engine"] in provenance["versions"]
    seconds = dict(provenance["seconds"])
    assert seconds.pop("total") == pytest.approx(sum(seconds.values()), abs=0.5)


def test_provenance_names_the_model_of_the_lungs_if_it_is_another_one(
    phantom: Phantom, result: Segmentation, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "lungs_model" not in result.provenance
    predict_lungs(monkeypatch, AxialView.of(COARSE).apply(phantom.lungs > 0))
    provenance = segment(phantom.volume, untrained_model("unet-2d-small")).provenance
    lung_model = models.find_model("unet-cascade")
    assert provenance["model"]["name"] == "unet-2d-small-untrained"
    assert provenance["model"]["sha256"] is None
    assert provenance["lungs_model"] == {
        "name": "unet-cascade",
        "title": lung_model.title,
        "recipe": "unet-cascade",
        "trained": True,
        "sha256": lung_model.card["sha256"],
        "licence": lung_model.card["licence"],
    }


# Cancellation and errors


@pytest.mark.parametrize("step", ["Checking the CT", "Finding the lungs", "Finding the infection"])
def test_progress_can_cancel_the_run_at_any_step(step: str) -> None:
    stages = []

    def progress(stage: str, fraction: float) -> None:
        stages.append(stage)
        if stage == step:
            raise Cancelled

    with pytest.raises(Cancelled):
        segment(phantom_on(UPPER).volume, models.find_model(), progress=progress)
    assert stages[-1] == step
    assert stages.count(step) == 1


def test_an_image_without_lungs_is_an_error() -> None:
    rows, columns = np.mgrid[:80, :80]
    water = np.where(np.hypot(rows - 40, columns - 40) < 30, 30, -1000) + np.arange(80) % 7
    volume = Volume(np.repeat(water[None], 12, axis=0).astype(np.int16), Grid((12, 80, 80), (4.0, 4.0, 5.0)))
    with pytest.raises(InputError, match="No lungs were found"):
        segment(volume, models.find_model())


def test_a_label_map_is_rejected_before_the_model_is_loaded(phantom: Phantom) -> None:
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
