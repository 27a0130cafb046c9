"""Slices through a network: the right ones, in any batches, on a device that is there."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from CovidSegLib import inference
from CovidSegLib.errors import InputError
from CovidSegLib.inference import choose_device, choose_precision, predict, stage_frame
from CovidSegLib.progress import silent
from CovidSegLib.recipe import Stage

STAGE = Stage("none", {}, "slice", (32, 32), (-1000.0, 1000.0), slices=3, slice_step_mm=2.0)
SPACING = (1.0, 2.0, 2.0)


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


def run(axial: np.ndarray, wanted: list[int], lungs: np.ndarray | None = None, stage: Stage = STAGE) -> np.ndarray:
    frame = stage_frame(stage, axial, SPACING)
    return predict(Neighbour(), stage, axial, SPACING, frame, wanted, lungs, silent, "Finding")


@pytest.mark.parametrize("batch", [1, 4, 100])
def test_each_wanted_slice_sees_its_neighbours_whatever_the_batches(
    axial: np.ndarray, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "BATCH", batch)
    wanted = [0, 1, 2, 7, 8, 9, 15, 20]
    found = run(axial, wanted)
    assert found.dtype == np.uint8
    for z in range(21):
        bright = np.flatnonzero((found[z] > 128).all(axis=1)).tolist()
        assert bright == ([max(z - 2, 0)] if z in wanted else [])  # 2 mm below; the lowest slice repeats
        assert set(np.unique(found[z])) <= {0, 255}


def test_what_is_far_from_the_lungs_is_not_seen(axial: np.ndarray) -> None:
    lungs = np.zeros(axial.shape, bool)
    lungs[:, :, 10:12] = True
    masked = Stage("none", {}, "slice", (32, 32), (-1000.0, 1000.0), slices=3, slice_step_mm=2.0, mask_margin_mm=4.0)
    found = run(axial, [5], lungs, masked)
    assert np.flatnonzero(found[5, 3]).tolist() == list(range(8, 14))  # two pixels of 2 mm on either side


def test_progress_goes_to_the_end(axial: np.ndarray) -> None:
    fractions: list[float] = []
    frame = stage_frame(STAGE, axial, SPACING)
    predict(Neighbour(), STAGE, axial, SPACING, frame, range(21), None, lambda _, f: fractions.append(f), "Finding")
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert fractions == sorted(fractions)


def test_nothing_wanted_gives_nothing(axial: np.ndarray) -> None:
    assert not run(axial, []).any()


def test_too_little_gpu_memory_is_told(axial: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Neighbour, "forward", full)
    with pytest.raises(InputError, match="too little free memory; choose the device “cpu”"):
        run(axial, [0])


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
