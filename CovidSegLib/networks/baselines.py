"""The networks that the papers compare with, as MONAI has them, made to take any input size.

Each pads its input to what its levels divide and cuts the logits back; in training with deep supervision it gives a
list of logits of the image's size, the final ones first. Arguments and names of the weights are MONAI's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from monai.networks import nets

from .blocks import crop_to, pad_to_multiple


class _AnySize:
    """Stands before one of MONAI's networks in the bases of a class."""

    training: bool

    @property
    def multiple(self) -> int:
        """What must divide the spatial sizes of the network's own input."""
        raise AssertionError

    def forward(self, image: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Logits (batch, out_channels, *spatial) of images (batch, in_channels, *spatial) of any size."""
        found = self._levels(super().forward(pad_to_multiple(image, self.multiple)))  # type: ignore[misc]
        logits = [crop_to(each, image.shape[2:]) for each in found]
        return logits if self.training and len(logits) > 1 else logits[0]

    def _levels(self, found: Any) -> Sequence[torch.Tensor]:
        """What MONAI's network gives, as logits of the levels, the final ones first."""
        return [found]


class UNet(_AnySize, nets.BasicUNet):
    """U-Net (Ronneberger et al. 2015) and 3D U-Net (Çiçek et al. 2016), by MONAI.

    Two convolutions and max pooling a level; MONAI's class UNet has one strided convolution in their place.
    """

    multiple = 16


class AutoEncoder(_AnySize, nets.AutoEncoder):
    """The fully convolutional network without skips, by MONAI: an encoder of strided convolutions and its mirror.

    It stands for the papers' FCN (Long et al. 2015, the variant that upsamples the deepest maps alone). MONAI's own
    network of that name was two-dimensional, needed torchvision's ResNet, and is gone.
    """

    @property
    def multiple(self) -> int:
        return math.prod(self.strides)


class VNet(_AnySize, nets.VNet):
    """V-Net (Milletari et al. 2016), by MONAI."""

    multiple = 16


class UNetPlusPlus(_AnySize, nets.BasicUNetPlusPlus):
    """U-Net++ (Zhou et al. 2018), by MONAI."""

    multiple = 16

    def _levels(self, found: Any) -> Sequence[torch.Tensor]:
        return list(reversed(found))  # MONAI's final one is the last


class AttentionUNet(_AnySize, nets.AttentionUnet):  # type: ignore[misc]
    """Attention U-Net (Oktay et al. 2018), by MONAI."""

    @property
    def multiple(self) -> int:
        return math.prod(self.strides)


class SegResNet(_AnySize, nets.SegResNet):  # type: ignore[misc]
    """The encoder-decoder of Myronenko 2018 without its autoencoder branch, by MONAI."""

    @property
    def multiple(self) -> int:
        return 2 ** (len(self.blocks_down) - 1)


class DynUNet(_AnySize, nets.DynUNet):
    """The U-Net of nnU-Net (Isensee et al. 2021), by MONAI."""

    @property
    def multiple(self) -> int:
        return math.prod(max(stride) if isinstance(stride, Sequence) else stride for stride in self.strides)

    def _levels(self, found: Any) -> Sequence[torch.Tensor]:
        stacked = self.training and self.deep_supervision
        return list(found.unbind(1)) if stacked else [found]
