"""Augmentation moves the image and its mask together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai import transforms
from support.phantoms import dice
from support.stages import patch_stage, slice_stage

from CovidSegLib.training.augmentation import AUGMENTATIONS, AugmentationContext, augment, chest_ct

#: "chest-ct" is for slices only.
GEOMETRIC = ("mirror", "rotate", "scale", "elastic", "chest-ct")
#: Brightness of the object, as HU + 1024.
BRIGHT = 1200.0


def an_object(dims: int) -> torch.Tensor:
    """Return a mask (1, *spatial) with a different shape from every side, off the centre."""
    mask = torch.zeros(1, *[48] * dims)
    mask[(0, *[slice(8, 32)] * (dims - 1), slice(10, 20))] = 1
    mask[(0, *[slice(8, 16)] * (dims - 1), slice(10, 40))] = 1
    return mask


def seeded(transform: transforms.Transform) -> transforms.Compose:
    """Return a transform that draws the same random numbers in every run."""
    return transforms.Compose([transform]).set_random_state(0)


@pytest.mark.parametrize(
    ("name", "dims"), [(name, dims) for name in GEOMETRIC for dims in (2, 3) if (name, dims) != ("chest-ct", 3)]
)
def test_the_mask_moves_with_the_image(name: str, dims: int) -> None:
    """The image is bright exactly where the mask is set, before and after."""
    transform = seeded(AUGMENTATIONS[name](AugmentationContext((slice_stage, patch_stage)[dims - 2](), 1.0)))
    mask, moved = an_object(dims), 0
    for _ in range(12 if dims == 2 else 4):
        image, target = augment(transform, mask * BRIGHT, mask)
        assert image.shape == target.shape == mask.shape
        assert set(target.unique().tolist()) <= {0.0, 1.0}
        assert dice((image > BRIGHT / 2).numpy(), (target > 0).numpy()) > 0.9
        moved += not torch.equal(target, mask)
    assert moved


@pytest.mark.parametrize("part", [1, 2, 3, 4], ids=["columns", "rows", "zoom", "affine"])
def test_each_movement_of_chest_ct_moves_the_mask_too(part: int) -> None:
    """Together the movements could hide a mask that one of them leaves behind."""
    movement = chest_ct(AugmentationContext(slice_stage(), 1.0)).transforms[part]
    assert isinstance(movement, transforms.RandomizableTransform)
    movement.prob = 1.0
    mask = an_object(2)
    image, target = augment(seeded(movement), mask * BRIGHT, mask)
    assert not torch.equal(target, mask)
    assert dice((image > BRIGHT / 2).numpy(), (target > 0).numpy()) > 0.93


@pytest.mark.parametrize("name", [name for name in AUGMENTATIONS if name not in (*GEOMETRIC, "consolidation", "gas")])
def test_grey_values_change_and_the_mask_does_not(name: str) -> None:
    mask = an_object(2)
    transform = seeded(AUGMENTATIONS[name](AugmentationContext(slice_stage(), 1.0)))
    grey = 0.2 + 0.5 * mask + 0.1 * torch.from_numpy(np.random.default_rng(0).random(mask.shape, dtype=np.float32))
    image, target = augment(transform, grey, mask)
    torch.testing.assert_close(target, mask)
    assert (image - grey).abs().max() > 0.005
