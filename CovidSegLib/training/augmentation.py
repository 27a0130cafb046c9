"""Random changes of training images, by the names that recipes give them; made of MONAI's transforms.

What a change takes, `IMAGE` and `MASK` of a dictionary, is (channels, *spatial) with two spatial axes or three. The
changes of `HU_AUGMENTATIONS` take HU + 1024, so that the padding of a turned image is air, 0; those of
`GREY_AUGMENTATIONS` take the grey values 0 to 1 of the recipe's window.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from monai import transforms
from PIL import Image

from ..recipe import Augmentation, Stage
from .synthetic_lesions import RandSyntheticConsolidationd, RandSyntheticGasd
from .transform_keys import IMAGE, MASK


class RandEightBitd(transforms.RandomizableTransform, transforms.MapTransform):
    """The image as an eight-bit JPEG of a lung window, as the public data sets were handed on.

    Scans with true HU show healthy lung only, and pictures put back on a HU scale show disease: a network would learn
    to tell the two sources apart, were the first not made to look like the second.
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
    """What a change is for.

    Attributes:
        stage: Whose network is to learn.
        probability: How often it is applied.
        eight_bit: The HU were put back from eight-bit pictures.
    """

    stage: Stage
    probability: float
    eight_bit: bool = False

    @property
    def dims(self) -> int:
        """Spatial axes, 2 or 3."""
        return len(self.stage.input_shape) - 1


def chest_ct(context: AugmentationContext, zoom: Sequence[float] = (0.8, 1.2)) -> transforms.Compose:
    """What the few patients of the data do not show: other scanners, kernels, doses, positions, fields of view.

    Args:
        about: Two spatial axes; the probabilities of its many parts are its own.
        zoom: Range of the factor by which the picture is scaled.
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
    """Dense lung, which is infection."""
    return RandSyntheticConsolidationd(context.stage, context.probability)


def gas(context: AugmentationContext) -> transforms.Transform:
    """Gas in the body outside of the lungs, which is nothing to mark."""
    return RandSyntheticGasd(context.stage, context.probability)


def mirror(context: AugmentationContext) -> transforms.Transform:
    """Mirrored along a random axis."""
    return transforms.RandAxisFlipd([IMAGE, MASK], prob=context.probability)


def rotate(context: AugmentationContext, degrees: float = 15.0) -> transforms.Transform:
    """Turned by up to so many degrees about every axis, either way; what comes in from outside is black."""
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
    """Scaled by a factor from a range, within the same frame."""
    low, high = factor
    modes = ("bilinear" if context.dims == 2 else "trilinear", "nearest-exact")
    return transforms.RandZoomd(
        [IMAGE, MASK], prob=context.probability, min_zoom=low, max_zoom=high, mode=modes, padding_mode="constant"
    )


def elastic(
    context: AugmentationContext, alpha: Sequence[float] = (0.0, 900.0), sigma: Sequence[float] = (9.0, 13.0)
) -> transforms.Transform:
    """Deformed by noise in -1 to 1 a voxel, smoothed by a Gaussian of `sigma` voxels, times `alpha` (Simard 2003).

    On two axes MONAI has control points instead: `sigma` pixels apart, and moved by the deviation that the smoothed
    noise has there, alpha / (2 sigma sqrt(3 pi)).
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


def gamma(context: AugmentationContext, gamma: Sequence[float] = (0.5, 2.0)) -> transforms.Transform:
    """Grey values to a power from a range."""
    low, high = gamma
    return transforms.RandAdjustContrastd(IMAGE, prob=context.probability, gamma=(low, high))


def brightness(context: AugmentationContext, factor: Sequence[float] = (0.5, 2.0)) -> transforms.Transform:
    """Grey values times a factor from a range."""
    low, high = factor
    return transforms.RandScaleIntensityd(IMAGE, prob=context.probability, factors=(low - 1, high - 1))


def contrast(context: AugmentationContext, factor: Sequence[float] = (0.3, 3.0)) -> transforms.Transform:
    """Distance of the grey values from their mean times a factor from a range, within the values that there were."""
    low, high = factor
    return transforms.RandScaleIntensityFixedMeand(
        IMAGE, prob=context.probability, factors=(low - 1, high - 1), fixed_mean=True, preserve_range=True
    )


def noise(context: AugmentationContext, deviation: float = 0.1) -> transforms.Transform:
    """Gaussian noise of a deviation from 0 to `deviation`."""
    return transforms.RandGaussianNoised(IMAGE, prob=context.probability, std=deviation)


HU_AUGMENTATIONS: dict[str, Callable[..., transforms.Transform]] = {
    "chest-ct": chest_ct,
    "consolidation": consolidation,
    "gas": gas,
}
GREY_AUGMENTATIONS: dict[str, Callable[..., transforms.Transform]] = {
    "mirror": mirror,
    "rotate": rotate,
    "scale": scale,
    "elastic": elastic,
    "gamma": gamma,
    "brightness": brightness,
    "contrast": contrast,
    "noise": noise,
}
#: Of these, the ones that are painted in or around the lungs, which the stage's mask must show.
SYNTHETIC_LESIONS = ("consolidation", "gas")
AUGMENTATIONS = {**HU_AUGMENTATIONS, **GREY_AUGMENTATIONS}


def build_augmentation(
    entries: Sequence[Augmentation],
    name: str,
    stage: Stage,
    kinds: dict[str, Callable[..., transforms.Transform]],
    eight_bit: bool = False,
) -> transforms.Compose:
    """The changes of one kind that a recipe lists for a stage, in its order.

    Args:
        entries: The recipe's list.
        name: "lungs" or "infection", of the stage.
        stage: What its network sees and finds.
        kinds: HU_AUGMENTATIONS or GREY_AUGMENTATIONS.
        eight_bit: The HU were put back from eight-bit pictures.
    """
    return transforms.Compose(
        [
            kinds[entry.name](AugmentationContext(stage, entry.probability, eight_bit), **entry.arguments)
            for entry in entries
            if entry.name in kinds and entry.only in (None, name)
        ]
    )
