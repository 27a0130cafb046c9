"""What the few patients of the data do not show: other scanners, kernels, doses, positions, fields of view.

Images are (slices as channels, rows, columns) in HU + 1024, so that the padding of a turned image is air, 0.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import torch
from monai import transforms
from PIL import Image

IMAGE, MASK = "image", "mask"


class RandEightBit(transforms.RandomizableTransform, transforms.MapTransform):
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


def augmentation(smallest: float, largest: float, jpeg_probability: float) -> transforms.Compose:
    """The transforms of a training slice.

    Args:
        smallest, largest: Range of the factor by which the picture is scaled.
        jpeg_probability: How often the slice passes through an eight-bit JPEG.
    """
    both = [IMAGE, MASK]
    return transforms.Compose(
        [
            RandEightBit(jpeg_probability),
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
