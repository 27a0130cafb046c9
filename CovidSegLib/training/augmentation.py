"""Augmentation of training images with MONAI's transforms, by the names that recipes use.

The transforms take dictionaries with an image and a mask (`transform_keys`), both (channels, *spatial) with two or
three spatial axes. There are three kinds, which are applied one after the other:

- `HU_AUGMENTATIONS` take HU + 1024, so that the zero padding of a rotated image is air.
- `SPATIAL_AUGMENTATIONS` take grey values from 0 to 1, after the recipe's window, so that their zero padding is black.
- `INTENSITY_AUGMENTATIONS` take the network's input, after the z-score of recipes that have one. MIScnn, in which
  QC-HC U-Net is trained, and nnU-Net augment normalised images too: a deviation of 0.1 is a tenth of the scan's.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from monai import transforms
from monai.utils import convert_to_tensor
from PIL import Image

from ..recipe import Augmentation, Stage
from .synthetic_lesions import RandSyntheticConsolidationd, RandSyntheticGasd
from .transform_keys import IMAGE, MASK


class RandEightBitd(transforms.RandomizableTransform, transforms.MapTransform):
    """Convert the image to an eight-bit JPEG with a lung window and back, as in the public data sets.

    In the training data, scans with true HU show only healthy lungs, and scans restored from eight-bit pictures show
    disease. Without this transform a network could learn to distinguish the two sources instead.

    Args:
        prob: Probability of applying the transform.
    """

    def __init__(self, prob: float) -> None:
        transforms.MapTransform.__init__(self, [IMAGE])
        transforms.RandomizableTransform.__init__(self, prob)

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        self.randomize(None)
        if not self._do_transform:
            return data
        low, high = self.R.uniform(-60, 40), self.R.uniform(1224, 1500)
        quality = int(self.R.randint(60, 96))
        scaled = ((data[IMAGE] - low) / (high - low)).clamp(0, 1)
        channels = []
        for channel in np.asarray(scaled):
            file = io.BytesIO()
            Image.fromarray((channel * 255).astype(np.uint8)).save(file, "JPEG", quality=quality)
            channels.append(np.asarray(Image.open(file), dtype=np.float32) / 255)
        return {**data, IMAGE: torch.from_numpy(np.stack(channels)) * (high - low) + low}


class AugmentationContext(NamedTuple):
    """What every augmentation is built for.

    Attributes:
        stage: The stage that is trained.
        probability: Probability of applying the augmentation.
        eight_bit: The HU of the scan were restored from eight-bit pictures.
    """

    stage: Stage
    probability: float
    eight_bit: bool = False

    @property
    def dims(self) -> int:
        """Number of spatial axes, 2 or 3."""
        return len(self.stage.input_shape) - 1


def chest_ct(context: AugmentationContext, zoom: Sequence[float] = (0.8, 1.2)) -> transforms.Compose:
    """Imitate other scanners, kernels, doses, positions and fields of view than those of the few training patients.

    Args:
        context: A stage with two spatial axes. `probability` is not used: every part has its own.
        zoom: Range of the zoom factor.
    """
    both = [IMAGE, MASK]
    smallest, largest = zoom
    return transforms.Compose(
        [
            RandEightBitd(0.1 if context.eight_bit else 0.6),
            transforms.RandFlipd(both, prob=0.5, spatial_axis=1),
            transforms.RandFlipd(both, prob=0.3, spatial_axis=0),
            transforms.RandZoomd(
                both,
                prob=0.8,
                min_zoom=smallest,
                max_zoom=largest,
                mode=("bilinear", "nearest-exact"),
                padding_mode="constant",
            ),
            transforms.RandAffined(
                both,
                prob=0.9,
                rotate_range=np.deg2rad(15),
                shear_range=0.08,
                translate_range=16,
                scale_range=0.08,
                mode=("bilinear", "nearest"),
                padding_mode="zeros",
            ),
            transforms.RandGaussianSmoothd(IMAGE, sigma_x=(0.3, 1.2), sigma_y=(0.3, 1.2), prob=0.25),
            transforms.RandGaussianSharpend(IMAGE, prob=0.15, alpha=(0.5, 3.0)),
            transforms.RandGaussianNoised(IMAGE, prob=0.35, std=60.0),
            transforms.RandScaleIntensityd(IMAGE, factors=0.12, prob=0.5),
            transforms.RandShiftIntensityd(IMAGE, offsets=60.0, prob=0.5),
        ]
    )


def consolidation(context: AugmentationContext) -> transforms.Transform:
    """Insert synthetic consolidations, which are infection, into the lungs."""
    return RandSyntheticConsolidationd(context.stage, context.probability)


def gas(context: AugmentationContext) -> transforms.Transform:
    """Insert synthetic gas, which is background, into the body outside the lungs."""
    return RandSyntheticGasd(context.stage, context.probability)


def mirror(context: AugmentationContext) -> transforms.Transform:
    """Mirror along a random axis."""
    return transforms.RandAxisFlipd([IMAGE, MASK], prob=context.probability)


def rotate(context: AugmentationContext, degrees: float = 15.0) -> transforms.Transform:
    """Rotate about every axis by an angle between -`degrees` and `degrees`; pad with black."""
    angle = math.radians(degrees)
    others = angle if context.dims == 3 else 0.0
    return transforms.RandRotated(
        [IMAGE, MASK],
        range_x=angle,
        range_y=others,
        range_z=others,
        prob=context.probability,
        mode=("bilinear", "nearest"),
        padding_mode="zeros",
    )


def scale(context: AugmentationContext, factor: Sequence[float] = (0.85, 1.25)) -> transforms.Transform:
    """Zoom by a factor from a range; the image size stays."""
    low, high = factor
    modes = ("bilinear" if context.dims == 2 else "trilinear", "nearest-exact")
    return transforms.RandZoomd(
        [IMAGE, MASK], prob=context.probability, min_zoom=low, max_zoom=high, mode=modes, padding_mode="constant"
    )


def elastic(
    context: AugmentationContext, alpha: Sequence[float] = (0.0, 900.0), sigma: Sequence[float] = (9.0, 13.0)
) -> transforms.Transform:
    """Deform elastically (Simard 2003).

    The displacement of each voxel is uniform noise from -1 to 1, smoothed by a Gaussian of `sigma` voxels and
    multiplied by `alpha`. In two dimensions MONAI moves control points instead. They are `sigma` pixels apart and move
    by the standard deviation of the smoothed noise, alpha / (2 sigma sqrt(3 pi)).
    """
    options: dict[str, Any] = {"prob": context.probability, "mode": ("bilinear", "nearest"), "padding_mode": "zeros"}
    (narrow, wide), (weak, strong) = sigma, alpha
    if context.dims == 3:
        return transforms.Rand3DElasticd(
            [IMAGE, MASK], sigma_range=(narrow, wide), magnitude_range=(weak, strong), **options
        )
    middle = (narrow + wide) / 2
    pixels = 1 / (2 * middle * math.sqrt(3 * math.pi))
    return transforms.Rand2DElasticd(
        [IMAGE, MASK], spacing=(middle, middle), magnitude_range=(weak * pixels, strong * pixels), **options
    )


def gamma(
    context: AugmentationContext, gamma: Sequence[float] = (0.5, 2.0), retain_stats: bool = False
) -> transforms.Transform:
    """Scale the values to the range from 0 to 1, raise them to a power from a range, and scale them back.

    Args:
        context: The stage and the probability.
        gamma: Range of the power.
        retain_stats: Restore mean and standard deviation of the image afterwards, as MIScnn and nnU-Net do.
    """
    low, high = gamma
    return transforms.RandAdjustContrastd(IMAGE, prob=context.probability, gamma=(low, high), retain_stats=retain_stats)


def brightness(context: AugmentationContext, factor: Sequence[float] = (0.5, 2.0)) -> transforms.Transform:
    """Multiply the values by a factor from a range."""
    low, high = factor
    return transforms.RandScaleIntensityd(IMAGE, prob=context.probability, factors=(low - 1, high - 1))


def contrast(context: AugmentationContext, factor: Sequence[float] = (0.3, 3.0)) -> transforms.Transform:
    """Scale the values about their mean by a factor from a range, and clip them to their earlier range."""
    low, high = factor
    return transforms.RandScaleIntensityFixedMeand(
        IMAGE, prob=context.probability, factors=(low - 1, high - 1), fixed_mean=True, preserve_range=True
    )


def noise(context: AugmentationContext, deviation: float = 0.1) -> transforms.Transform:
    """Add Gaussian noise with a standard deviation from 0 to `deviation`."""
    return transforms.RandGaussianNoised(IMAGE, prob=context.probability, std=deviation)


HU_AUGMENTATIONS: dict[str, Callable[..., transforms.Transform]] = {
    "chest-ct": chest_ct,
    "consolidation": consolidation,
    "gas": gas,
}
SPATIAL_AUGMENTATIONS: dict[str, Callable[..., transforms.Transform]] = {
    "mirror": mirror,
    "rotate": rotate,
    "scale": scale,
    "elastic": elastic,
}
INTENSITY_AUGMENTATIONS: dict[str, Callable[..., transforms.Transform]] = {
    "gamma": gamma,
    "brightness": brightness,
    "contrast": contrast,
    "noise": noise,
}
#: Those of `HU_AUGMENTATIONS` that need the lungs in the stage's mask.
SYNTHETIC_LESIONS = ("consolidation", "gas")
AUGMENTATIONS = {**HU_AUGMENTATIONS, **SPATIAL_AUGMENTATIONS, **INTENSITY_AUGMENTATIONS}


def build_augmentation(
    entries: Sequence[Augmentation],
    name: str,
    stage: Stage,
    registry: dict[str, Callable[..., transforms.Transform]],
    eight_bit: bool = False,
) -> transforms.Compose:
    """Return the augmentations that a recipe lists for a stage, in the recipe's order.

    Args:
        entries: The recipe's list.
        name: Name of the stage, "lungs" or "infection".
        stage: The stage.
        registry: `HU_AUGMENTATIONS`, `SPATIAL_AUGMENTATIONS` or `INTENSITY_AUGMENTATIONS`; entries of the others are
            skipped.
        eight_bit: The HU of the scan were restored from eight-bit pictures.
    """
    return transforms.Compose(
        [
            registry[entry.name](AugmentationContext(stage, entry.probability, eight_bit), **entry.arguments)
            for entry in entries
            if entry.name in registry and entry.only in (None, name)
        ]
    )


def build_grey_augmentation(
    entries: Sequence[Augmentation], name: str, stage: Stage
) -> tuple[transforms.Compose, transforms.Compose, transforms.Compose]:
    """Return the spatial and the intensity augmentations that a recipe lists for a stage, and both in one.

    Seed the third one: it gives each of the others random numbers of its own.
    """
    space = build_augmentation(entries, name, stage, SPATIAL_AUGMENTATIONS)
    intensity = build_augmentation(entries, name, stage, INTENSITY_AUGMENTATIONS)
    return space, intensity, transforms.Compose([space, intensity])


def augment(
    transform: transforms.Compose, image: torch.Tensor, mask: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Apply a random transform to an image and its mask, both (channels, *spatial)."""
    both: Any = transform({IMAGE: image, MASK: mask})
    return convert_to_tensor(both[IMAGE]), convert_to_tensor(both[MASK])
