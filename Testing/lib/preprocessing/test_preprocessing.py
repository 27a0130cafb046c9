"""Axes, frames and windows; everything is mapped back to where it came from."""

import itertools

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from CovidSegLib.phantom import default_grid, make_phantom
from CovidSegLib.preprocessing import (
    AxialView,
    SliceFrame,
    VolumeFrame,
    body_mask,
    keep_near,
    neighbouring_slices,
    outside_field_of_view,
    scale_window,
)
from CovidSegLib.volume import AIR_HU, Grid, Volume

ORIENTATIONS = [
    "".join(letters) for axes in itertools.permutations(("RL", "AP", "IS")) for letters in itertools.product(*axes)
]


@pytest.mark.parametrize("code", ORIENTATIONS)
def test_axial_view_agrees_with_dicom_orient_and_is_invertible(code: str, rng: np.random.Generator) -> None:
    array = rng.integers(-1000, 1000, (3, 4, 5), dtype=np.int16)
    lps = Volume(array, Grid((3, 4, 5), (1.0, 2.0, 3.0)))
    turned = Volume.of_image(sitk.DICOMOrient(lps.to_image(), code))
    view = AxialView.of(turned.grid)
    np.testing.assert_array_equal(view.apply(turned.array), array)
    np.testing.assert_array_equal(view.undo(view.apply(turned.array)), turned.array)
    assert view.spacing(turned.grid) == (3.0, 2.0, 1.0)


frames = st.tuples(st.integers(-20, 30), st.integers(-20, 30), st.integers(20, 90), st.integers(20, 90))


@given(frames)
@settings(max_examples=40, deadline=None)
def test_a_frame_inserts_where_it_extracted(box: tuple[int, int, int, int]) -> None:
    """A smooth image survives resampling to the network's size and back, even if the frame exceeds the slice."""
    rows, columns = np.mgrid[:60, :70]
    image = (0.5 + 0.4 * np.sin(rows / 14) * np.cos(columns / 16))[None]
    frame = SliceFrame(*box, size=(64, 64))
    target = np.zeros((1, 60, 70), dtype=np.uint8)
    frame.insert(frame.extract(image, fill=0.5), target)
    top, left, height, width = box
    inside = np.zeros((60, 70), dtype=bool)
    inside[max(top, 0) + 2 : max(top + height - 2, 0), max(left, 0) + 2 : max(left + width - 2, 0)] = True
    inside[[0, 1, -2, -1]] = inside[:, [0, 1, -2, -1]] = False
    if inside.any():
        assert np.abs(target[0] / 255 - image[0])[inside].max() < 0.05
    outside = np.ones((60, 70), dtype=bool)
    outside[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)] = False
    assert not target[0][outside].any()


def test_a_frame_samples_the_centres_of_its_pixels() -> None:
    """Positions are those of pixel centres: half a pixel matters for thin lesions, and a round trip would hide it."""
    ramp = np.broadcast_to(np.arange(40, dtype=np.float32) / 39, (1, 40, 40))
    frame = SliceFrame(0, 0, 40, 40, size=(10, 10))
    centres = torch.arange(1.5, 40, 4).expand(1, 10, 10) / 39  # of each four pixels
    for axes in ((0, 1, 2), (0, 2, 1)):
        extracted = frame.extract(ramp.transpose(axes)).permute(axes)
        torch.testing.assert_close(extracted[..., 1:-1], centres[..., 1:-1], rtol=0, atol=1e-5)
        output = np.zeros((1, 40, 40), np.uint8)
        frame.insert(centres.permute(axes), output)
        np.testing.assert_allclose(output.transpose(axes)[..., 2:-2], 255 * ramp[..., 2:-2], atol=0.51)


def test_labels_are_those_of_the_nearest_pixel() -> None:
    """The centre of three pixels is the second of them."""
    labels = np.zeros((9, 9, 9), np.uint8)
    labels[1::3, 1::3, 1::3] = np.arange(1, 28).reshape(3, 3, 3)
    expected = np.arange(1, 28).reshape(3, 3, 3)
    slices = SliceFrame(0, 0, 9, 9, size=(3, 3)).extract(labels[1::3], fill=0, interpolation="nearest")
    np.testing.assert_array_equal(slices, expected)
    box = (slice(0, 9), slice(0, 9), slice(0, 9))
    np.testing.assert_array_equal(VolumeFrame(box, (3, 3, 3)).extract_labels(labels), expected)


def test_a_frame_is_padded_with_air() -> None:
    extracted = SliceFrame(-10, -10, 20, 20, (20, 20)).extract(np.zeros((1, 40, 40), dtype=np.int16))
    assert (extracted[0, :10] == AIR_HU).all() and (extracted[0, 11:, 11:] == 0).all()


def test_a_frame_around_a_mask_has_the_aspect_ratio_in_mm() -> None:
    mask = np.zeros((100, 100), dtype=bool)
    mask[40:60, 30:80] = True
    frame = SliceFrame.around(mask, (1.0, 0.5), (48, 64), margin_mm=5)
    assert frame.height * 1.0 / 48 == pytest.approx(frame.width * 0.5 / 64, rel=0.05)
    assert frame.top <= 35 and frame.top + frame.height >= 65
    assert frame.left <= 20 and frame.left + frame.width >= 90


def test_window() -> None:
    scaled = scale_window(torch.tensor([-2000.0, -1000.0, -300.0, 400.0, 3000.0]), (-1000, 400))
    torch.testing.assert_close(scaled, torch.tensor([0.0, 0.0, 0.5, 1.0, 1.0]))


def test_keep_near() -> None:
    mask = torch.zeros(1, 9, 9)
    mask[0, 4, 4] = 1
    kept = keep_near(torch.zeros(1, 9, 9), mask, 2)
    assert (kept == 0).sum() == 25 and kept[0, 0, 0] == AIR_HU


def test_neighbouring_slices_have_the_given_distance_and_stay_in_the_scan() -> None:
    assert neighbouring_slices(10, 100, 3, slice_mm=1.0, step_mm=2.5) == [8, 10, 12]
    assert neighbouring_slices(10, 100, 3, slice_mm=5.0, step_mm=2.5) == [9, 10, 11]
    assert neighbouring_slices(0, 100, 5, slice_mm=1.0, step_mm=1.0) == [0, 0, 0, 1, 2]
    assert neighbouring_slices(99, 100, 3, slice_mm=1.0, step_mm=1.0) == [98, 99, 99]


def test_body_mask_excludes_the_table() -> None:
    phantom = make_phantom(default_grid(), seed=1)
    mask = body_mask(AxialView.of(phantom.volume.grid).scan(phantom.volume))
    assert mask[phantom.lungs.any(axis=0)].all()
    rows = np.flatnonzero(mask.any(axis=1))
    spine_to_back_mm = (rows[-1] - np.flatnonzero(phantom.lungs.any(axis=(0, 2)))[-1]) * phantom.volume.grid.spacing[1]
    assert spine_to_back_mm < 80


def test_padding_is_outside_the_field_of_view_and_a_bulla_is_not() -> None:
    axial = np.full((3, 20, 20), -800, np.int16)
    axial[0, :, :4] = AIR_HU  # padding on one side
    axial[0, 8:12, 8:12] = AIR_HU  # a bulla
    axial[1] = AIR_HU  # an empty slice
    axial[2, 5:15, 5:15] = -2000  # touches no edge
    expected = np.zeros(axial.shape, bool)
    expected[0, :, :4] = expected[1] = True
    np.testing.assert_array_equal(outside_field_of_view(axial), expected)
