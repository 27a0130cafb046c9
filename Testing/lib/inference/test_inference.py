"""Slices through a network: the right ones, in any batches, on a device that is there."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from monai.inferers.utils import sliding_window_inference
from support.stages import patch_stage, slice_stage
from torch import nn

from CovidSegLib.errors import InputError
from CovidSegLib.inference import choose_device, choose_precision, predict, slices
from CovidSegLib.inference.loaded_stage import LoadedStage
from CovidSegLib.inference.patches import count_windows
from CovidSegLib.inference.structures import structure_maps
from CovidSegLib.progress import silent
from CovidSegLib.recipe import Intensity, Stage
from CovidSegLib.volume import AxialScan, AxialSpacing

STAGE = slice_stage(count=3, step_mm=2.0)
SPACING = AxialSpacing(1.0, 2.0, 2.0)


class Neighbour(nn.Module):
    """The slice below, as a sure yes where it is above 0 HU and a sure no elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(200.0))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return (image[:, :1] - 0.5) * self.scale


@pytest.fixture
def axial() -> np.ndarray:
    """21 slices of 32 x 32; slice z is bright in row z."""
    array = np.full((21, 32, 32), -1000, np.int16)
    for z in range(21):
        array[z, z] = 1000
    return array


def run(axial: np.ndarray, lungs: np.ndarray | None = None, stage: Stage = STAGE) -> np.ndarray:
    loaded = LoadedStage(stage, Neighbour())
    return predict(loaded, AxialScan(axial, SPACING), lungs, silent, "Finding").of("infection")


def in_slices(wanted: list[int]) -> np.ndarray:
    """Lungs all over some slices."""
    lungs = np.zeros((21, 32, 32), bool)
    lungs[wanted] = True
    return lungs


@pytest.mark.parametrize("batch", [1, 4, 100])
def test_each_slice_with_lungs_sees_its_neighbours_whatever_the_batches(
    axial: np.ndarray, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "BATCH", batch)
    wanted = [0, 1, 2, 7, 8, 9, 15, 20]
    found = run(axial, in_slices(wanted))
    assert found.dtype == np.uint8
    for z in range(21):
        bright = np.flatnonzero((found[z] > 128).all(axis=1)).tolist()
        assert bright == ([max(z - 2, 0)] if z in wanted else [])  # 2 mm below; the lowest slice repeats
        assert set(np.unique(found[z])) <= {0, 255}


def test_what_is_far_from_the_lungs_is_not_seen(axial: np.ndarray) -> None:
    lungs = np.zeros(axial.shape, bool)
    lungs[:, :, 10:12] = True
    found = run(axial, lungs, slice_stage(count=3, step_mm=2.0, mask_margin_mm=4.0))
    assert np.flatnonzero(found[5, 3]).tolist() == list(range(8, 14))  # two pixels of 2 mm on either side


@pytest.mark.parametrize("stage", [STAGE, patch_stage()], ids=["slices", "patches"])
def test_progress_goes_to_the_end(axial: np.ndarray, stage: Stage) -> None:
    fractions: list[float] = []
    predict(
        LoadedStage(stage, Neighbour()), AxialScan(axial, SPACING), None, lambda _, f: fractions.append(f), "Finding"
    )
    assert len(fractions) > 2
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert fractions == sorted(fractions)


@pytest.mark.parametrize("stage", [STAGE, patch_stage(), patch_stage(region="lungs", mask_margin_mm=0.0)])
def test_without_lungs_there_is_nothing(axial: np.ndarray, stage: Stage) -> None:
    assert not run(axial, in_slices([]), stage).any()


@pytest.mark.parametrize("stage", [STAGE, patch_stage()], ids=["slices", "patches"])
def test_too_little_gpu_memory_is_told(axial: np.ndarray, monkeypatch: pytest.MonkeyPatch, stage: Stage) -> None:
    def full(*arguments: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Neighbour, "forward", full)
    with pytest.raises(InputError, match=r'too little free memory\. Choose the device "cpu"'):
        run(axial, None, stage)


# Patches


@pytest.mark.parametrize("patches", [{}, {"overlap": 0.0}, {"overlap": 0.75, "blend": "gaussian"}])
@pytest.mark.parametrize("size", [(8, 16, 16), (7, 40, 9), (64, 64, 64)])
def test_patches_cover_the_scan_each_voxel_where_it_was(
    axial: np.ndarray, size: tuple[int, int, int], patches: dict[str, Any]
) -> None:
    """Also where the scan is smaller than a patch, and where patches do not divide it."""
    found = run(axial, None, patch_stage(size=size, patches=patches))
    np.testing.assert_array_equal(found, np.where(axial > 0, 255, 0))


def test_patches_are_seen_at_the_recipe_s_voxel_size(axial: np.ndarray) -> None:
    """Voxels of 1 x 2 x 2 mm are seen at 2 x 4 x 4, and the result lies where it lay."""
    ball = np.full((40, 48, 48), -1000, np.int16)
    z, y, x = np.ogrid[:40, :48, :48]
    ball[(z - 19.5) ** 2 + (2 * (y - 23.5)) ** 2 + (2 * (x - 19.5)) ** 2 < 16**2] = 1000
    seen = []

    class Watched(Neighbour):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            seen.append(image.shape[2:])
            return super().forward(image)

    stage = patch_stage(size=(20, 24, 24), patches={"spacing_mm": (2.0, 4.0, 4.0)})
    found = (
        predict(LoadedStage(stage, Watched()), AxialScan(ball, SPACING), None, silent, "Finding").of("infection") > 127
    )
    assert seen == [(20, 24, 24)]
    assert 2 * (found & (ball > 0)).sum() / (found.sum() + (ball > 0).sum()) > 0.93
    np.testing.assert_allclose(np.argwhere(found).mean(0), np.argwhere(ball > 0).mean(0), atol=0.02)


def test_patches_see_the_lungs_alone_where_the_stage_masks(axial: np.ndarray) -> None:
    """Within 2 mm of them: one pixel of 2 mm across, two slices of 1 mm along."""
    bright = np.full(axial.shape, 1000, np.int16)
    lungs = np.zeros(axial.shape, bool)
    lungs[9:12, 10:20, 10:12] = True
    stage = patch_stage(region="lungs", margin_mm=6.0, mask_margin_mm=2.0)
    found = run(bright, lungs, stage) > 127
    assert np.flatnonzero(found[10, 15]).tolist() == [9, 10, 11, 12]
    assert np.flatnonzero(found[:, 15, 10]).tolist() == list(range(7, 14))


@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.5, 0.9])
def test_windows_are_counted_as_they_are_laid(overlap: float, rng: np.random.Generator) -> None:
    """What the progress bar counts on."""
    for _ in range(10):
        size, window = (tuple(rng.integers(low, 30, 3).tolist()) for low in (4, 8))
        network = MagicMock(side_effect=lambda each: each)
        sliding_window_inference(torch.zeros(1, 1, *size), window, 1, network, overlap=overlap)
        assert count_windows(size, window, overlap) == network.call_count


# Labels


def test_labels_that_exclude_each_other_make_structures() -> None:
    """The infection is part of the lungs; a label that stands for nothing of the kind is passed over."""
    probabilities = torch.tensor([0.1, 0.2, 0.3, 0.4])
    stage = slice_stage(labels=("background", "left_lung", "right_lung", "infection"))
    maps = structure_maps(probabilities.log().reshape(1, 4, 1, 1), stage)
    assert stage.finds == ("lungs", "infection")
    torch.testing.assert_close(maps.flatten(), torch.tensor([0.9, 0.4]))


def test_labels_without_a_background_are_each_a_question_of_its_own() -> None:
    logits = torch.tensor([2.0, -1.0]).reshape(1, 2, 1, 1)
    maps = structure_maps(logits, slice_stage(labels=("infection", "lungs")))
    torch.testing.assert_close(maps.flatten(), torch.sigmoid(torch.tensor([-1.0, 2.0])))


def test_a_temperature_is_that_of_the_infection() -> None:
    logits = torch.tensor([2.0, -1.0]).reshape(1, 2, 1, 1)
    maps = structure_maps(logits, slice_stage(labels=("lungs", "infection")), 2.0)
    torch.testing.assert_close(maps.flatten(), torch.sigmoid(torch.tensor([2.0, -0.5])))
    exclusive = structure_maps(logits, slice_stage(labels=("background", "infection")), 2.0)
    torch.testing.assert_close(exclusive.flatten(), torch.sigmoid(torch.tensor([-1.5])))


@pytest.mark.parametrize("stage", [STAGE, patch_stage()], ids=["slices", "patches"])
def test_the_temperature_of_a_stage_reaches_its_probabilities(axial: np.ndarray, stage: Stage) -> None:
    network = Neighbour()
    network.scale.data /= 100  # logits of 1 and -1
    plain, warm = (
        predict(LoadedStage(stage, network, by), AxialScan(axial, SPACING), None, silent, "Finding")
        .of("infection")
        .max()
        for by in (1.0, 4.0)
    )
    assert plain == pytest.approx(255 / (1 + np.exp(-1)), abs=1) and warm == pytest.approx(
        255 / (1 + np.exp(-0.25)), abs=1
    )


def test_a_stage_that_finds_the_lungs_looks_beyond_those_that_are_known(axial: np.ndarray) -> None:
    class Both(Neighbour):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return super().forward(image).abs().repeat(1, 2, 1, 1)  # yes everywhere

    known = in_slices([9, 10])
    stage = slice_stage(count=3, step_mm=2.0, labels=("lungs", "infection"), region="lungs")
    found = predict(LoadedStage(stage, Both()), AxialScan(axial, SPACING), known, silent, "Finding")
    assert np.flatnonzero(found.of("lungs").any(axis=(1, 2))).tolist() == list(range(3, 17))  # 6 mm


def test_grey_levels_and_z_score_reach_the_network(axial: np.ndarray) -> None:
    """Over slices and patches alike: mean 0 and deviation 1 over the scan, in as many levels as the recipe says."""
    noise = np.random.default_rng(0).normal(-200, 300, axial.shape).astype(np.int16)
    for stage in (slice_stage, patch_stage):
        seen = []

        class Watched(Neighbour):
            def forward(self, image: torch.Tensor) -> torch.Tensor:
                seen.append(image[:, :1].flatten())  # noqa: B023
                return super().forward(image)

        wanted = stage(intensity=Intensity((-1000.0, 1000.0), grey_levels=16, zscore=True))
        predict(LoadedStage(wanted, Watched()), AxialScan(noise, SPACING), None, silent, "Finding")
        values = torch.cat(seen)
        assert len(values.unique()) <= 16
        assert float(values.mean()) == pytest.approx(0, abs=0.15)
        assert float(values.std()) == pytest.approx(1, abs=0.1)


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("auto") == torch.device("cuda")
    assert choose_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(InputError, match="There is no GPU “cuda:2”, there are 2"):
        choose_device("cuda:2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == torch.device("cpu")
    for name in ("cuda", "cuda:0"):
        with pytest.raises(InputError, match="No GPU that PyTorch can use was found"):
            choose_device(name)


@pytest.mark.parametrize("name", ["gpu", "", "meta", "cuda:x", "CPU", "cuda:"])
def test_an_unknown_device_is_told(name: str) -> None:
    with pytest.raises(InputError, match=r"There is no device “.*”; choose “auto”, “cpu” or “cuda”"):
        choose_device(name)


def test_half_precision_where_the_hardware_has_it() -> None:
    assert choose_precision(torch.device("cuda")) == torch.float16
    assert choose_precision(torch.device("cpu")) in (torch.bfloat16, torch.float32)
