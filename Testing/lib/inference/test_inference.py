"""Inference in slices and patches, conversion of logits to probabilities, and the choice of the device."""

from __future__ import annotations

import math
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from monai.inferers.utils import sliding_window_inference
from support.stages import patch_stage, slice_stage
from torch import nn

from CovidSegLib.errors import InputError
from CovidSegLib.inference import choose_device, choose_precision, devices, predict, slices
from CovidSegLib.inference.loaded_stage import LoadedStage
from CovidSegLib.inference.patches import count_windows, patch_weights
from CovidSegLib.inference.structures import structure_arrays, structure_maps
from CovidSegLib.progress import silent
from CovidSegLib.recipe import Intensity, Patches, Stage
from CovidSegLib.volume import AxialScan, AxialSpacing

STAGE = slice_stage(count=3, step_mm=2.0)
SPACING = AxialSpacing(1.0, 2.0, 2.0)


class Neighbour(nn.Module):
    """Predicts with certainty that voxels are infected which are above 0 HU in the slice below."""

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


def predict_infection(axial: np.ndarray, lungs: np.ndarray | None = None, stage: Stage = STAGE) -> np.ndarray:
    loaded = LoadedStage(stage, Neighbour())
    return predict(loaded, AxialScan(axial, SPACING), lungs, silent, "Finding").of("infection")


def lungs_in(selected: list[int]) -> np.ndarray:
    """Lungs that fill certain slices."""
    lungs = np.zeros((21, 32, 32), bool)
    lungs[selected] = True
    return lungs


@pytest.mark.parametrize("batch", [1, 4, 100])
def test_each_slice_with_lungs_sees_its_neighbours_for_any_batch_size(
    axial: np.ndarray, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "BATCH_SIZE", batch)
    selected = [0, 1, 2, 7, 8, 9, 15, 20]
    prediction = predict_infection(axial, lungs_in(selected))
    assert prediction.dtype == np.uint8
    for z in range(21):
        bright = np.flatnonzero((prediction[z] > 128).all(axis=1)).tolist()
        assert bright == ([max(z - 2, 0)] if z in selected else [])  # 2 mm below; the lowest slice repeats
        assert set(np.unique(prediction[z])) <= {0, 255}


def test_voxels_far_from_the_lungs_are_masked(axial: np.ndarray) -> None:
    lungs = np.zeros(axial.shape, bool)
    lungs[:, :, 10:12] = True
    prediction = predict_infection(axial, lungs, slice_stage(count=3, step_mm=2.0, mask_margin_mm=4.0))
    assert np.flatnonzero(prediction[5, 3]).tolist() == list(range(8, 14))  # two pixels of 2 mm on either side


def test_the_margin_of_slices_is_in_pixels_of_the_frame() -> None:
    """Pixels of 2 mm become pixels of 4 mm, so that 8 mm are two of them."""
    bright = np.full((5, 64, 64), 1000, np.int16)
    lungs = np.zeros(bright.shape, bool)
    lungs[:, :, 24:32] = True
    prediction = predict_infection(bright, lungs, slice_stage(count=1, mask_margin_mm=8.0)) > 127
    inside = np.flatnonzero(prediction[2, 32])
    assert (inside[0], inside[-1]) == (20, 35)


@pytest.mark.parametrize("stage", [STAGE, patch_stage()], ids=["slices", "patches"])
def test_progress_reaches_the_end(axial: np.ndarray, stage: Stage) -> None:
    fractions: list[float] = []
    predict(
        LoadedStage(stage, Neighbour()), AxialScan(axial, SPACING), None, lambda _, f: fractions.append(f), "Finding"
    )
    assert len(fractions) > 2
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert fractions == sorted(fractions)


@pytest.mark.parametrize("stage", [STAGE, patch_stage(), patch_stage(region="lungs", mask_margin_mm=0.0)])
def test_without_lungs_nothing_is_predicted(axial: np.ndarray, stage: Stage) -> None:
    assert not predict_infection(axial, lungs_in([]), stage).any()


@pytest.mark.parametrize("stage", [STAGE, patch_stage()], ids=["slices", "patches"])
@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("MPS backend out of memory (MPS ...)")]
)
def test_too_little_gpu_memory_is_explained(
    axial: np.ndarray, monkeypatch: pytest.MonkeyPatch, stage: Stage, error: Exception
) -> None:
    def out_of_memory(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(torch.mps, "empty_cache", lambda: None)
    monkeypatch.setattr(Neighbour, "forward", out_of_memory)
    with pytest.raises(InputError, match=r'too little free memory\. Choose the device "cpu"'):
        predict_infection(axial, None, stage)


def test_other_errors_of_the_network_are_not_called_too_little_memory(
    axial: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(Neighbour, "forward", fail)
    with pytest.raises(RuntimeError, match="shapes differ"):
        predict_infection(axial)


def test_batches_shrink_until_they_fit_into_the_gpu(axial: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = predict_infection(axial)
    forward, sizes = Neighbour.forward, []

    def small_gpu(network: Neighbour, image: torch.Tensor) -> torch.Tensor:
        sizes.append(len(image))
        if len(image) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(network, image)

    monkeypatch.setattr(Neighbour, "forward", small_gpu)
    np.testing.assert_array_equal(predict_infection(axial), expected)
    assert sizes[:4] == [8, 4, 2, 2]


# Patches


def test_gaussian_weights_fall_from_the_middle_to_the_corners_without_a_limit() -> None:
    """A lower limit, as in MONAI, would let all patches count alike at the borders of a scan."""
    weights = patch_weights(Patches((8, 16, 16), blend="gaussian"))
    assert weights.shape == (8, 16, 16)
    assert weights.argmax() == 4 * 16 * 16 + 8 * 16 + 8
    assert float(weights[4, 8, 8]) == 1.0
    assert float(weights[4, 8, 0]) == pytest.approx(math.exp(-8))
    assert 0 < float(weights[0, 0, 0]) == pytest.approx(math.exp(-24), rel=1e-4)
    assert (patch_weights(Patches((4, 4, 4))) == 1).all()


@pytest.mark.parametrize("patches", [{}, {"overlap": 0.0}, {"overlap": 0.75, "blend": "gaussian"}])
@pytest.mark.parametrize("size", [(8, 16, 16), (7, 40, 9), (64, 64, 64)])
def test_patches_cover_the_scan_without_shifting_it(
    axial: np.ndarray, size: tuple[int, int, int], patches: dict[str, Any]
) -> None:
    """Also if the scan is smaller than a patch, and if patches do not divide it evenly."""
    prediction = predict_infection(axial, None, patch_stage(size=size, patches=patches))
    np.testing.assert_array_equal(prediction, np.where(axial > 0, 255, 0))


def test_patches_have_the_voxel_size_of_the_recipe(axial: np.ndarray) -> None:
    """Voxels of 1 x 2 x 2 mm are resampled to 2 x 4 x 4 mm, and the result is not shifted."""
    ball = np.full((40, 48, 48), -1000, np.int16)
    z, y, x = np.ogrid[:40, :48, :48]
    ball[(z - 19.5) ** 2 + (2 * (y - 23.5)) ** 2 + (2 * (x - 19.5)) ** 2 < 16**2] = 1000
    inputs = []

    class Recording(Neighbour):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            inputs.append(image.shape[2:])
            return super().forward(image)

    stage = patch_stage(size=(20, 24, 24), patches={"spacing_mm": (2.0, 4.0, 4.0)})
    prediction = (
        predict(LoadedStage(stage, Recording()), AxialScan(ball, SPACING), None, silent, "Finding").of("infection")
        > 127
    )
    assert inputs == [(20, 24, 24)]
    assert 2 * (prediction & (ball > 0)).sum() / (prediction.sum() + (ball > 0).sum()) > 0.93
    np.testing.assert_allclose(np.argwhere(prediction).mean(0), np.argwhere(ball > 0).mean(0), atol=0.02)


def test_patches_are_masked_to_the_lungs(axial: np.ndarray) -> None:
    """A margin of 2 mm is one pixel of 2 mm in the slice, and two slices of 1 mm."""
    bright = np.full(axial.shape, 1000, np.int16)
    lungs = np.zeros(axial.shape, bool)
    lungs[9:12, 10:20, 10:12] = True
    stage = patch_stage(region="lungs", margin_mm=6.0, mask_margin_mm=2.0)
    prediction = predict_infection(bright, lungs, stage) > 127
    assert np.flatnonzero(prediction[10, 15]).tolist() == [9, 10, 11, 12]
    assert np.flatnonzero(prediction[:, 15, 10]).tolist() == list(range(7, 14))


def test_the_margin_of_patches_is_in_voxels_of_the_frame() -> None:
    """Voxels of 1 x 2 x 2 mm become voxels of 2 x 4 x 4 mm; a margin of 8 mm is four slices and two rows of these."""
    bright = np.full((40, 48, 48), 1000, np.int16)
    lungs = np.zeros(bright.shape, bool)
    lungs[16:24, 20:28, 20:28] = True
    stage = patch_stage(size=(20, 24, 24), patches={"spacing_mm": (2.0, 4.0, 4.0)}, mask_margin_mm=8.0)
    prediction = predict_infection(bright, lungs, stage) > 127
    for line, first, last in ((prediction[:, 24, 24], 8, 31), (prediction[20, :, 24], 16, 31)):
        inside = np.flatnonzero(line)
        assert (inside[0], inside[-1]) == (first, last)


@pytest.mark.parametrize("zscore", [False, True])
def test_a_scan_smaller_than_a_patch_is_padded_with_air(zscore: bool) -> None:
    """Air is not 0 in grey values, neither in a window that starts below it nor after the z-score."""
    inputs: list[torch.Tensor] = []

    class Recording(Neighbour):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            inputs.append(image[0, 0])
            return super().forward(image)

    water = np.zeros((4, 8, 8), np.int16)
    water[2:] = 500
    stage = patch_stage(size=(8, 16, 16), intensity=Intensity((-2000.0, 2000.0), zscore=zscore))
    predict(LoadedStage(stage, Recording()), AxialScan(water, SPACING), None, silent, "Finding")
    grey = np.array([-1024, 0, 500]) / 4000 + 0.5
    if zscore:
        scan = np.repeat(grey[1:], 128)
        grey = (grey - scan.mean()) / scan.std(ddof=1)
    air, low, high = grey
    (image,) = inputs
    np.testing.assert_allclose(image[2:6, 4:12, 4:12], np.repeat([low, high], 128).reshape(4, 8, 8), atol=1e-5)
    np.testing.assert_allclose([image[0, 0, 0], image[-1, -1, -1], image[4, 3, 8]], air, atol=1e-5)


@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.5, 0.9])
def test_the_number_of_windows_is_that_of_monai(overlap: float, rng: np.random.Generator) -> None:
    """The progress bar relies on it."""
    for _ in range(10):
        size, window = (tuple(rng.integers(low, 30, 3).tolist()) for low in (4, 8))
        network = MagicMock(side_effect=lambda each: each)
        sliding_window_inference(torch.zeros(1, 1, *size), window, 1, network, overlap=overlap)
        assert count_windows(size, window, overlap) == network.call_count


# Labels


def test_mutually_exclusive_labels_give_structures() -> None:
    """The infection is part of the lungs. Other labels are ignored."""
    probabilities = torch.tensor([0.1, 0.2, 0.3, 0.4])
    stage = slice_stage(labels=("background", "left_lung", "right_lung", "infection"))
    maps = structure_maps(probabilities.log().reshape(1, 4, 1, 1), stage)
    assert stage.finds == ("lungs", "infection")
    torch.testing.assert_close(maps.flatten(), torch.tensor([0.9, 0.4]))


def test_labels_without_a_background_are_independent() -> None:
    logits = torch.tensor([2.0, -1.0]).reshape(1, 2, 1, 1)
    maps = structure_maps(logits, slice_stage(labels=("infection", "lungs")))
    torch.testing.assert_close(maps.flatten(), torch.sigmoid(torch.tensor([-1.0, 2.0])))


@pytest.mark.parametrize("labels", [("lungs", "infection"), ("background", "left_lung", "right_lung", "infection")])
@pytest.mark.parametrize("temperature", [1.0, 1.7])
def test_arrays_and_tensors_give_the_same_probabilities(labels: tuple[str, ...], temperature: float) -> None:
    logits = torch.randn(2, len(labels), 5, 6, generator=torch.Generator().manual_seed(0)) * 4
    stage = slice_stage(labels=labels)
    arrays = structure_arrays(logits.numpy(), stage, temperature)
    np.testing.assert_allclose(arrays, structure_maps(logits, stage, temperature).numpy(), rtol=0, atol=1e-6)


def test_the_temperature_applies_to_the_infection() -> None:
    logits = torch.tensor([2.0, -1.0]).reshape(1, 2, 1, 1)
    maps = structure_maps(logits, slice_stage(labels=("lungs", "infection")), 2.0)
    torch.testing.assert_close(maps.flatten(), torch.sigmoid(torch.tensor([2.0, -0.5])))
    exclusive = structure_maps(logits, slice_stage(labels=("background", "infection")), 2.0)
    torch.testing.assert_close(exclusive.flatten(), torch.sigmoid(torch.tensor([-1.5])))


@pytest.mark.parametrize("stage", [STAGE, patch_stage()], ids=["slices", "patches"])
def test_the_temperature_of_a_stage_is_applied(axial: np.ndarray, stage: Stage) -> None:
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


def test_a_stage_that_predicts_the_lungs_inspects_slices_beyond_the_known_lungs(axial: np.ndarray) -> None:
    class Both(Neighbour):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return super().forward(image).abs().repeat(1, 2, 1, 1)  # positive everywhere

    known = lungs_in([9, 10])
    stage = slice_stage(count=3, step_mm=2.0, labels=("lungs", "infection"), region="lungs")
    prediction = predict(LoadedStage(stage, Both()), AxialScan(axial, SPACING), known, silent, "Finding")
    assert np.flatnonzero(prediction.of("lungs").any(axis=(1, 2))).tolist() == list(range(3, 17))  # 6 mm


def test_grey_levels_and_z_score_are_applied(axial: np.ndarray) -> None:
    """In slices and patches: mean 0 and standard deviation 1 over the scan, with the recipe's number of levels."""
    noise = np.random.default_rng(0).normal(-200, 300, axial.shape).astype(np.int16)
    for stage in (slice_stage, patch_stage):
        inputs = []

        class Recording(Neighbour):
            def forward(self, image: torch.Tensor) -> torch.Tensor:
                inputs.append(image[:, :1].flatten())  # noqa: B023
                return super().forward(image)

        standardised = stage(intensity=Intensity((-1000.0, 1000.0), grey_levels=16, zscore=True))
        predict(LoadedStage(standardised, Recording()), AxialScan(noise, SPACING), None, silent, "Finding")
        values = torch.cat(inputs)
        assert len(values.unique()) <= 16
        assert float(values.mean()) == pytest.approx(0, abs=0.15)
        assert float(values.std()) == pytest.approx(1, abs=0.1)


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("auto") == torch.device("cuda")
    assert choose_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(InputError, match=r'There is no GPU "cuda:2" \(number of GPUs: 2\)'):
        choose_device("cuda:2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == torch.device("cpu")
    for name in ("cuda", "cuda:0"):
        with pytest.raises(InputError, match="No GPU that PyTorch can use was found"):
            choose_device(name)


def test_an_apple_gpu_is_used_only_if_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="No Apple GPU that PyTorch can use was found"):
        choose_device("mps")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("mps") == torch.device("mps")
    assert choose_device("auto") == torch.device("cpu")
    assert choose_precision(torch.device("mps")) == torch.float32


@pytest.mark.parametrize("name", ["gpu", "", "meta", "cuda:x", "CPU", "cuda:"])
def test_an_unknown_device_is_an_error(name: str) -> None:
    with pytest.raises(InputError, match=r'There is no device ".*"\. Choose "auto", "cpu", "cuda" or "mps"'):
        choose_device(name)


@pytest.mark.parametrize(
    ("emulated", "avx512_bf16", "amx", "precision"),
    [
        (True, True, False, torch.bfloat16),
        (True, False, True, torch.bfloat16),
        (True, False, False, torch.float32),  # AVX-512 alone emulates bfloat16, which is slower than float32
        (False, False, False, torch.float32),
    ],
)
def test_a_cpu_uses_bfloat16_only_if_it_has_instructions_for_it(
    monkeypatch: pytest.MonkeyPatch, emulated: bool, avx512_bf16: bool, amx: bool, precision: torch.dtype
) -> None:
    monkeypatch.setattr(devices.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: emulated)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert choose_precision(torch.device("cpu")) == precision
    assert choose_precision(torch.device("cuda")) == torch.float16
