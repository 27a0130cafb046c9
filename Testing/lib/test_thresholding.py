"""Masks at any threshold: the same as without any precomputation."""

import numpy as np
import pytest
from scipy import ndimage

from CovidSegLib.masks import SLAB_SLICES
from CovidSegLib.thresholding import ThresholdStack, level_of, without_small_pieces

LEVELS = [level_of(percent / 100) for percent in range(5, 96)]


def smooth_noise(shape, seed, sigma=1.5):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), sigma)
    return np.clip(128 + 90 * noise / noise.std(), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("smallest", [1, 4, 40])
@pytest.mark.parametrize("shape", [(2 * SLAB_SLICES + 5, 20, 24), (1, 30, 30), (7, 1, 9)])
def test_every_level_equals_the_rule(shape, smallest):
    probability = smooth_noise(shape, seed=smallest)
    stack = ThresholdStack(probability, LEVELS, voxel_ml=0.001, smallest_ml=0.001 * smallest)
    for level in LEVELS:
        expected = without_small_pieces(probability >= level, 0.001, 0.001 * smallest)
        np.testing.assert_array_equal(stack.mask(level), expected, err_msg=str(level))


def test_work_is_done_in_pieces_or_when_it_is_needed():
    probability = smooth_noise((40, 20, 20), seed=1)
    stack = ThresholdStack(probability, LEVELS, voxel_ml=0.001)
    assert not stack.finished
    stack.mask(level_of(0.5))
    assert not stack.finished
    pieces = 0
    while stack.advance():
        pieces += 1
    assert stack.finished
    assert pieces > 30
    assert not stack.advance()


def test_a_level_that_was_not_announced_is_an_error():
    with pytest.raises(ValueError, match="not one of the levels"):
        ThresholdStack(np.zeros((3, 3, 3), np.uint8), [128], 0.001).mask(127)


@pytest.mark.parametrize("probability", [np.zeros((3, 4, 5), np.uint8), np.full((3, 4, 5), 255, np.uint8)])
def test_nothing_and_everything(probability):
    stack = ThresholdStack(probability, LEVELS, voxel_ml=0.001, smallest_ml=0.01)
    assert stack.mask(LEVELS[-1]).all() == stack.mask(LEVELS[0]).all() == bool(probability.all())
    assert stack.mask(LEVELS[0]).any() == bool(probability.any())


def test_the_smallest_volume_itself_is_kept():
    mask = np.zeros((1, 1, 20), bool)
    mask[..., 1:8] = mask[..., 10:16] = True
    kept = without_small_pieces(mask, voxel_ml=0.005, smallest_ml=0.035)
    assert kept[..., 1:8].all()
    assert not kept[..., 10:16].any()
    stack = ThresholdStack(mask * np.uint8(255), [128], voxel_ml=0.005, smallest_ml=0.035)
    np.testing.assert_array_equal(stack.mask(128), kept)


def test_levels():
    assert level_of(0) == 1
    assert level_of(1) == 255
    assert [level_of(0.4), level_of(0.5)] == [102, 128]
