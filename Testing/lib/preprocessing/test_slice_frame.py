"""The frame of slices: its rectangle, its pixels, and where their values come from."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from CovidSegLib.preprocessing import SliceFrame, neighbouring_slices
from CovidSegLib.volume import AIR_HU

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
    centres = np.broadcast_to(np.arange(1.5, 40, 4) / 39, (1, 10, 10))  # of each four pixels
    for axes in ((0, 1, 2), (0, 2, 1)):
        extracted = frame.extract(ramp.transpose(axes)).transpose(axes)
        np.testing.assert_allclose(extracted[..., 1:-1], centres[..., 1:-1], rtol=0, atol=1e-5)
        output = np.zeros((1, 40, 40), np.uint8)
        frame.insert(centres.transpose(axes), output)
        np.testing.assert_allclose(output.transpose(axes)[..., 2:-2], 255 * ramp[..., 2:-2], atol=0.51)


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


def test_neighbouring_slices_have_the_given_distance_and_stay_in_the_scan() -> None:
    assert neighbouring_slices(10, 100, 3, slice_mm=1.0, step_mm=2.5) == [8, 10, 12]
    assert neighbouring_slices(10, 100, 3, slice_mm=5.0, step_mm=2.5) == [9, 10, 11]
    assert neighbouring_slices(0, 100, 5, slice_mm=1.0, step_mm=1.0) == [0, 0, 0, 1, 2]
    assert neighbouring_slices(99, 100, 3, slice_mm=1.0, step_mm=1.0) == [98, 99, 99]


def test_a_frame_is_centred_on_the_mask() -> None:
    """10 x 20 pixels of 2 x 1 mm with 5 mm around them are 30 x 30 mm."""
    mask = np.zeros((100, 200), dtype=bool)
    mask[40:50, 110:130] = True
    frame = SliceFrame.around(mask, (2.0, 1.0), (64, 64), margin_mm=5)
    assert frame == SliceFrame(top=37, left=105, height=15, width=30, size=(64, 64))
    assert frame.pixel_mm(2.0) == pytest.approx(30 / 64)


@pytest.mark.parametrize(("size", "expected"), [((32, 64), (35, 80, 20, 80)), ((64, 32), (25, 100, 40, 40))])
def test_a_frame_grows_to_the_aspect_ratio_of_the_network(
    size: tuple[int, int], expected: tuple[int, int, int, int]
) -> None:
    mask = np.zeros((100, 200), dtype=bool)
    mask[35:55, 100:140] = True
    frame = SliceFrame.around(mask, (2.0, 1.0), size, margin_mm=0)
    assert (frame.top, frame.left, frame.height, frame.width) == expected


def test_an_empty_mask_gives_the_whole_slice() -> None:
    frame = SliceFrame.around(np.zeros((30, 60), dtype=bool), (2.0, 1.0), (64, 64), margin_mm=0)
    assert frame == SliceFrame(0, 0, 30, 60, (64, 64))


@pytest.mark.parametrize("kind", [np.int16, np.float64])
def test_downsampling_averages(kind: type) -> None:
    """A bright pixel between the sampled centres is not lost."""
    slices = np.zeros((1, 32, 32), kind)
    slices[0, 14, 14] = 1000
    small = SliceFrame(0, 0, 32, 32, (4, 4)).extract(slices)
    assert small.dtype == np.float32
    assert 5 < float(small.max()) < 100
    assert float(small.sum()) * 64 == pytest.approx(1000, rel=0.1)


def test_labels_are_those_of_the_nearest_pixel() -> None:
    """The centre of three pixels is the second of them. Beyond the slice is the fill value."""
    labels = np.zeros((2, 9, 9), np.uint8)
    labels[:, 1::3, 1::3] = expected = np.arange(1, 19).reshape(2, 3, 3)
    frame = SliceFrame(0, 0, 9, 9, size=(3, 3))
    np.testing.assert_array_equal(frame.extract(labels, fill=0, interpolation="nearest"), expected)
    beyond = SliceFrame(-9, -9, 27, 27, size=(9, 9)).extract(labels, fill=0, interpolation="nearest")
    np.testing.assert_array_equal(beyond[:, 3:6, 3:6], expected)
    assert beyond.sum() == expected.sum()


def test_the_first_and_last_slice_are_repeated_beyond_the_ends() -> None:
    assert neighbouring_slices(1, 4, 7, slice_mm=1.0, step_mm=1.0) == [0, 0, 0, 1, 2, 3, 3]
    assert neighbouring_slices(2, 4, 1, slice_mm=1.0, step_mm=1.0) == [2]


def test_probabilities_become_0_to_255() -> None:
    output = np.full((1, 1, 6), 9, np.uint8)
    SliceFrame(0, 1, 1, 4, (1, 4)).insert(np.array([[[0.0, 0.501, 1.0, 1.2]]]), output)
    assert output.tolist() == [[[9, 0, 128, 255, 255, 9]]]


@given(frames, st.sampled_from([(16, 24), (64, 64)]))
@settings(max_examples=25, deadline=None)
def test_frames_resample_like_pytorch(box: tuple[int, int, int, int], size: tuple[int, int]) -> None:
    """Networks were trained on what PyTorch's interpolation makes of slices."""
    rng = np.random.default_rng(0)
    hu, frame = rng.integers(-1000, 1000, (2, 60, 70)).astype(np.int16), SliceFrame(*box, size=size)
    (top, left, height, width), padded = box, np.pad(hu, ((0, 0), (60, 120), (60, 120)), constant_values=AIR_HU)
    section = padded[:, 60 + top : 60 + top + height, 60 + left : 60 + left + width].astype(np.float32)
    expected = functional.interpolate(torch.from_numpy(section)[:, None], size, mode="bilinear", antialias=True)[:, 0]
    np.testing.assert_allclose(frame.extract(hu), expected.numpy(), rtol=0, atol=0.1)
    maps = rng.random((2, *size), dtype=np.float32)
    full = functional.interpolate(torch.from_numpy(maps)[:, None], (height, width), mode="bilinear")[:, 0].numpy()
    output = np.zeros_like(hu, np.uint8)
    frame.insert(maps, output)
    whole = np.zeros_like(padded, np.uint8)
    whole[:, 60 + top : 60 + top + height, 60 + left : 60 + left + width] = np.rint(255 * full)
    assert np.abs(output.astype(int) - whole[:, 60:120, 60:130]).max() <= 1
