"""The grid of a three-dimensional network: its box, its voxels, and where their values come from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from CovidSegLib.preprocessing import VolumeFrame
from CovidSegLib.volume import AxialSpacing

SPACING = AxialSpacing(2.0, 1.0, 0.5)


def mask_of(*box: slice, shape: tuple[int, int, int] = (20, 40, 60)) -> np.ndarray:
    """Return a mask (slices, rows, columns) that is set in a box."""
    mask = np.zeros(shape, dtype=bool)
    mask[box] = True
    return mask


def ramp(axis: int, length: int = 12) -> np.ndarray:
    """Return a cube (length, length, length) of values from 0 to 1 that rise along an axis."""
    along = np.linspace(0, 1, length, dtype=np.float32)
    return np.broadcast_to(np.expand_dims(along, tuple(other for other in range(3) if other != axis)), (length,) * 3)


def test_the_box_has_the_same_margin_in_mm_on_every_side() -> None:
    frame = VolumeFrame.around(mask_of(slice(8, 10), slice(20, 25), slice(30, 40)), SPACING, None, margin_mm=4.0)
    assert frame.box == (slice(6, 12), slice(16, 29), slice(22, 48))
    assert frame.size == (6, 13, 26)


def test_the_box_stays_within_the_scan() -> None:
    frame = VolumeFrame.around(mask_of(slice(1, 19), slice(2, 39), slice(3, 58)), SPACING, None, margin_mm=4.0)
    assert frame.box == (slice(0, 20), slice(0, 40), slice(0, 60))


def test_an_empty_mask_gives_the_whole_scan() -> None:
    frame = VolumeFrame.around(np.zeros((20, 40, 60), dtype=bool), SPACING, None, margin_mm=4.0)
    assert frame.box == (slice(0, 20), slice(0, 40), slice(0, 60))


def test_voxels_have_the_size_of_the_recipe_as_far_as_whole_voxels_allow() -> None:
    """The box is 40 x 40 x 30 mm."""
    frame = VolumeFrame.around(np.ones((20, 40, 60), dtype=bool), SPACING, (3.0, 2.0, 1.5), margin_mm=0.0)
    assert frame.size == (13, 20, 20)
    assert frame.spacing(SPACING) == pytest.approx((40 / 13, 2.0, 1.5))
    tiny = VolumeFrame.around(mask_of(slice(3, 4), slice(3, 4), slice(3, 4)), SPACING, (9.0, 9.0, 9.0), margin_mm=0.0)
    assert tiny.size == (1, 1, 1)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_values_are_averaged_at_the_centres_of_the_larger_voxels(axis: int) -> None:
    frame = VolumeFrame((slice(0, 12),) * 3, (4, 4, 4))
    extracted = np.moveaxis(frame.extract(ramp(axis)).numpy(), axis, -1)
    assert extracted.shape == (4, 4, 4)
    np.testing.assert_allclose(extracted[..., 1:-1], np.broadcast_to([4 / 11, 7 / 11], (4, 4, 2)), atol=1e-5)
    peak = np.zeros((12, 12, 12), np.float32)
    peak[4, 4, 4] = 27.0
    assert 0 < frame.extract(peak)[1, 1, 1] < 27  # averaged, not picked
    assert frame.extract(peak).dtype == torch.float32


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_map_is_inserted_where_it_was_extracted(axis: int) -> None:
    box = (slice(2, 14), slice(3, 15), slice(4, 16))
    output = np.full((20, 20, 20), 7, np.uint8)
    frame = VolumeFrame(box, (4, 4, 4))
    frame.insert(frame.extract(np.pad(ramp(axis), ((2, 6), (3, 5), (4, 4)))), output)
    inside = np.moveaxis(output[box], axis, -1)
    np.testing.assert_allclose(inside[..., 3:-3] / 255, np.moveaxis(ramp(axis), axis, -1)[..., 3:-3], atol=0.01)
    output[box] = 7
    assert (output == 7).all()


def test_probabilities_become_0_to_255() -> None:
    output = np.zeros((1, 1, 4), np.uint8)
    VolumeFrame((slice(0, 1), slice(0, 1), slice(0, 4)), (1, 1, 4)).insert(
        torch.tensor([[[0.0, 0.501, 1.0, 1.2]]]), output
    )
    assert output.tolist() == [[[0, 128, 255, 255]]]


def test_labels_are_those_of_the_nearest_voxel() -> None:
    """The centre of three voxels is the second of them."""
    labels = np.zeros((11, 11, 11), np.int64)
    labels[2::3, 2::3, 2::3] = expected = np.arange(1, 28).reshape(3, 3, 3)
    extracted = VolumeFrame((slice(1, 10),) * 3, (3, 3, 3)).extract_labels(labels)
    assert extracted.dtype == torch.uint8
    np.testing.assert_array_equal(extracted, expected)
