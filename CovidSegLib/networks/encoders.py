"""Encoders of classification networks, for the baselines of CHS-Net's Table 3: VGG16, ResNet50 and Res2Net50.

Their weights start at random. segmentation-models-pytorch and timm have the same encoders with weights from ImageNet,
but both need torchvision, which only fits one build of PyTorch and brings some gigabytes of GPU libraries with it.

Every encoder maps images (batch, in_channels, *spatial) to a list of feature maps, from the finest level to the
coarsest. Its attribute `widths` has their channels.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from .blocks import conv_norm, conv_norm_relu

MAX_POOL: dict[int, type[nn.Module]] = {2: nn.MaxPool2d, 3: nn.MaxPool3d}


class VGG16(nn.Module):
    """The 13 convolutions of VGG16 (Simonyan and Zisserman 2015), with batch normalisation: 14.7 M parameters.

    Five levels of 64, 128, 256, 512 and 512 channels with 2, 2, 3, 3 and 3 convolutions of 3x3. Each level but the
    first begins with max pooling.

    Args:
        dims: Number of spatial axes.
        in_channels: Number of input channels.
        features: Number of channels of the first level; 64 in VGG16.
    """

    convolutions = (2, 2, 3, 3, 3)

    def __init__(self, dims: int, in_channels: int, features: int = 64) -> None:
        super().__init__()
        self.widths = [features * factor for factor in (1, 2, 4, 8, 8)]
        self.pool = MAX_POOL[dims](2)
        self.levels = nn.ModuleList(
            vgg_level(dims, ins, outs, count)
            for ins, outs, count in zip([in_channels, *self.widths[:-1]], self.widths, self.convolutions, strict=True)
        )

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        found = [self.levels[0](image)]
        for level in list(self.levels)[1:]:
            found.append(level(self.pool(found[-1])))
        return found


def vgg_level(dims: int, in_channels: int, out_channels: int, count: int) -> nn.Sequential:
    """Return `count` convolutions of 3x3 with batch normalisation and ReLU."""
    return nn.Sequential(
        *(conv_norm_relu(dims, in_channels if n == 0 else out_channels, out_channels) for n in range(count))
    )


class Bottleneck(nn.Module):
    """Bottleneck block of ResNet50 (He et al. 2016), or of Res2Net50 (Gao et al. 2021) with a `scale` above 1.

    A 1x1 convolution to `scale` groups of `width` channels, 3x3 convolutions of the groups, and a 1x1 convolution to
    `out_channels`; batch normalisation after each. In Res2Net the input of each group is added to the output of the one
    before it, and the last group has no convolution. The first block of a level, with a stride or another number of
    channels, has a 1x1 convolution as its shortcut, and its groups do not depend on each other.

    Args:
        dims: Number of spatial axes.
        in_channels: Number of input channels.
        width: Number of channels of a group.
        out_channels: Number of output channels.
        stride: Stride of the 3x3 convolutions.
        scale: Number of groups; 1 for ResNet, 4 for Res2Net.
    """

    def __init__(
        self, dims: int, in_channels: int, width: int, out_channels: int, stride: int = 1, scale: int = 1
    ) -> None:
        super().__init__()
        self.scale, self.stride = scale, stride
        self.first = stride != 1 or in_channels != out_channels
        self.reduce = conv_norm(dims, in_channels, width * scale, 1)
        self.convs = nn.ModuleList(conv_norm(dims, width, width, 3, stride) for _ in range(max(1, scale - 1)))
        self.expand = conv_norm(dims, width * scale, out_channels, 1)
        self.shortcut = conv_norm(dims, in_channels, out_channels, 1, stride) if self.first else nn.Identity()

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        groups = list(functional.relu(self.reduce(maps)).chunk(self.scale, dim=1))
        mixed: list[torch.Tensor] = []
        for number, conv in enumerate(self.convs):
            group = groups[number] if self.first or not mixed else groups[number] + mixed[-1]
            mixed.append(functional.relu(conv(group)))
        if self.scale > 1:
            mixed.append(groups[-1] if self.stride == 1 else _average(groups[-1]))
        return functional.relu(self.expand(torch.cat(mixed, dim=1)) + self.shortcut(maps))


def _average(maps: torch.Tensor) -> torch.Tensor:
    """Halve the size by the mean of 3x3 windows, as Res2Net does with the group that has no convolution."""
    pool = functional.avg_pool2d if maps.ndim == 4 else functional.avg_pool3d
    # Padded here, as torch refuses maps that are smaller than the window before padding.
    return pool(functional.pad(maps, [1, 1] * (maps.ndim - 2)), 3, stride=2)


class ResNet50(nn.Module):
    """ResNet50 without its classifier (23.5 M parameters), or Res2Net50 (26 channels in 4 groups, 23.7 M).

    Levels: the 7x7 convolution of stride 2 with 64 channels, then 3, 4, 6 and 3 bottlenecks with 256, 512, 1024 and
    2048 channels. Max pooling comes before the first of these, and the others begin with a stride of 2.

    Args:
        dims: Number of spatial axes.
        in_channels: Number of input channels.
        features: Number of channels of the first level; 64 in ResNet50.
        scale: Number of groups of each bottleneck; 1 for ResNet, 4 for Res2Net.
    """

    blocks = (3, 4, 6, 3)

    def __init__(self, dims: int, in_channels: int, features: int = 64, scale: int = 1) -> None:
        super().__init__()
        self.widths = [features, *(features * 4 * 2**level for level in range(4))]
        self.stem = nn.Sequential(conv_norm(dims, in_channels, features, 7, 2), nn.ReLU(inplace=True))
        self.pool = MAX_POOL[dims](3, stride=2, padding=1)
        levels = []
        for level, count in enumerate(self.blocks):
            # 26 channels in each of four groups have about the parameters of 64 in one.
            width = max(1, (features if scale == 1 else features * 26 // 64) * 2**level)
            ins, outs = self.widths[level], self.widths[level + 1]
            first = Bottleneck(dims, ins, width, outs, 1 if level == 0 else 2, scale)
            levels.append(
                nn.Sequential(first, *(Bottleneck(dims, outs, width, outs, 1, scale) for _ in range(count - 1)))
            )
        self.levels = nn.ModuleList(levels)

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        found = [self.stem(image)]
        for number, level in enumerate(self.levels):
            found.append(level(self.pool(found[-1]) if number == 0 else found[-1]))
        return found
