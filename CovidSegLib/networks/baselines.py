"""The networks that the papers compare with: MONAI's networks, extended to any input size.

Each network pads its input to a multiple of its downsampling and crops the logits. With deep supervision it returns a
list of logits of the size of the image in training, the final ones first. Arguments and names of the weights are
MONAI's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from monai.networks import nets

from .blocks import crop_to, pad_to_multiple


class _AnySize:
    """Mixin before one of MONAI's networks that makes it accept any input size."""

    training: bool

    @property
    def multiple(self) -> int:
        """Divisor of the spatial sizes that MONAI's network accepts."""
        raise AssertionError

    def forward(self, image: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Return logits (batch, out_channels, *spatial) of images (batch, in_channels, *spatial) of any size."""
        levels = self._levels(super().forward(pad_to_multiple(image, self.multiple)))  # type: ignore[misc]
        logits = [crop_to(each, image.shape[2:]) for each in levels]
        return logits if self.training and len(logits) > 1 else logits[0]

    def _levels(self, output: Any) -> Sequence[torch.Tensor]:
        """Return the output of MONAI's network as a sequence of logits, the final ones first."""
        return [output]


class UNet(_AnySize, nets.BasicUNet):
    """U-Net (Ronneberger et al. 2015) and 3D U-Net (Çiçek et al. 2016), by MONAI.

    Each level has two convolutions and max pooling. MONAI's class UNet has one strided convolution instead.
    """

    multiple = 16


class AutoEncoder(_AnySize, nets.AutoEncoder):
    """Fully convolutional network without skip connections, by MONAI: strided convolutions and their mirror.

    It represents the papers' FCN (Long et al. 2015, the variant that only upsamples the deepest maps). MONAI's own
    network of that name was two-dimensional, required torchvision's ResNet, and has been removed.
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

    def _levels(self, output: Any) -> Sequence[torch.Tensor]:
        return list(reversed(output))  # MONAI returns the final logits last


class AttentionUNet(_AnySize, nets.AttentionUnet):  # type: ignore[misc]
    """Attention U-Net (Oktay et al. 2018), by MONAI."""

    @property
    def multiple(self) -> int:
        return math.prod(self.strides)


class SegResNet(_AnySize, nets.SegResNet):  # type: ignore[misc]
    """Encoder and decoder of Myronenko 2018 without the autoencoder branch, by MONAI."""

    @property
    def multiple(self) -> int:
        return 2 ** (len(self.blocks_down) - 1)


class DynUNet(_AnySize, nets.DynUNet):
    """The U-Net of nnU-Net (Isensee et al. 2021), by MONAI."""

    @property
    def multiple(self) -> int:
        return math.prod(max(stride) if isinstance(stride, Sequence) else stride for stride in self.strides)

    def _levels(self, output: Any) -> Sequence[torch.Tensor]:
        stacked = self.training and self.deep_supervision
        return list(output.unbind(1)) if stacked else [output]
