"""SegNet, U-Net, Attention U-Net and U-Net++ with the encoders of CHS-Net's Table 3 (Punn and Agarwal, section 4.3).

The paper names the encoders and the numbers of parameters, and cites repositories. Where the decoders are open, the
choice that comes closest to these numbers is taken.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.nets.attentionunet import AttentionBlock
from torch import nn
from torch.nn import functional

from .blocks import CONV, conv_norm_relu, crop_to, pad_to_multiple, resize
from .encoders import VGG16, ResNet50, vgg_level

#: Pooling that also returns the positions of the maxima.
POOL_WITH_POSITIONS = {2: functional.max_pool2d_with_indices, 3: functional.max_pool3d_with_indices}


class SegNetVGG16(nn.Module):
    """SegNet (Badrinarayanan et al. 2017) with VGG16 as its encoder: 29.4 M parameters, as in Table 3.

    The decoder mirrors the encoder. Instead of skip connections, each maximum returns to the position that it was
    pooled from.

    Args:
        spatial_dims: 2, as in the paper, or 3.
        in_channels: Number of input channels.
        out_channels: Number of labels.
        features: Number of channels of the first level.
    """

    def __init__(self, spatial_dims: int = 2, in_channels: int = 1, out_channels: int = 1, features: int = 64) -> None:
        super().__init__()
        self.dims = spatial_dims
        encoder = VGG16(spatial_dims, in_channels, features)
        widths = encoder.widths
        self.encoder = encoder.levels
        outs = [widths[0], *widths[:-1]]
        self.decoder = nn.ModuleList(
            nn.Sequential(
                *([vgg_level(spatial_dims, width, width, count - 1)] if count > 1 else []),
                vgg_level(spatial_dims, width, out, 1),
            )
            for width, out, count in zip(widths, outs, encoder.convolutions, strict=True)
        )
        self.head = CONV[spatial_dims](features, out_channels, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits (batch, out_channels, *spatial) of images (batch, in_channels, *spatial) of any size."""
        maps, pooled = pad_to_multiple(image, 32), []
        for level in self.encoder:
            maps = level(maps)
            size = maps.shape
            maps, positions = POOL_WITH_POSITIONS[self.dims](maps, [2] * self.dims)
            pooled.append((positions, size))
        for level, (positions, size) in zip(reversed(self.decoder), reversed(pooled), strict=True):
            flat = maps.new_zeros(*size[:2], size[2:].numel())
            maps = level(flat.scatter(2, positions.flatten(2), maps.flatten(2)).reshape(size))
        return crop_to(self.head(maps), image.shape[2:])


class UNetVGG16(nn.Module):
    """U-Net (Ronneberger et al. 2015) with VGG16 as its encoder: 21.8 M parameters; 21.7 M in Table 3.

    The last level of VGG16 is the bottleneck. Each level of the decoder interpolates, concatenates the skip connection
    and has one convolution; two would give 24.9 M.

    With `attention`, gates weigh the skip connections (Oktay et al. 2018): 22.1 M parameters; 22 M in Table 3.

    Args:
        spatial_dims: 2, as in the paper, or 3.
        in_channels: Number of input channels.
        out_channels: Number of labels.
        features: Number of channels of the first level.
        attention: Use attention gates.
    """

    def __init__(
        self,
        spatial_dims: int = 2,
        in_channels: int = 1,
        out_channels: int = 1,
        features: int = 64,
        attention: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = VGG16(spatial_dims, in_channels, features)
        widths = self.encoder.widths
        pairs = list(zip(widths[1:], widths[:-1], strict=True))  # deeper and own channels, from the finest level
        self.decoder = nn.ModuleList(conv_norm_relu(spatial_dims, deeper + own, own) for deeper, own in pairs)
        self.gates = nn.ModuleList(
            AttentionBlock(spatial_dims, f_int=max(1, own // 2), f_g=deeper, f_l=own)
            for deeper, own in (pairs if attention else [])
        )
        self.head = CONV[spatial_dims](features, out_channels, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits (batch, out_channels, *spatial) of images (batch, in_channels, *spatial) of any size."""
        *skips, maps = self.encoder(pad_to_multiple(image, 16))
        for level in reversed(range(len(skips))):
            maps, skip = resize(maps, skips[level].shape[2:]), skips[level]
            if self.gates:
                skip = self.gates[level](maps, skip)
            maps = self.decoder[level](torch.cat([maps, skip], dim=1))
        return crop_to(self.head(maps), image.shape[2:])


class UNetPlusPlusResNet50(nn.Module):
    """U-Net++ (Zhou et al. 2018) with ResNet50 as its encoder: 35.7 M parameters; 37.6 M in Table 3.

    Node (i, j) takes the interpolated node (i + 1, j - 1) and all earlier nodes of its level i, and has two
    convolutions with 32, 64, 128 or 256 channels. The last node is interpolated to the size of the image.

    Args:
        spatial_dims: 2, as in the paper, or 3.
        in_channels: Number of input channels.
        out_channels: Number of labels.
        features: Number of channels of the first level of the encoder.
        decoder: Number of channels of the nodes, from the finest level; half of `features`, doubled at each, if None.
    """

    def __init__(
        self,
        spatial_dims: int = 2,
        in_channels: int = 1,
        out_channels: int = 1,
        features: int = 64,
        decoder: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.encoder = ResNet50(spatial_dims, in_channels, features)
        encoded, own = self.encoder.widths, list(decoder or (features // 2 * 2**level for level in range(4)))
        self.depth = len(own)

        def node(level: int, column: int) -> nn.Module:
            deeper = encoded[level + 1] if column == 1 else own[level + 1]
            ins = deeper + encoded[level] + (column - 1) * own[level]
            return vgg_level(spatial_dims, ins, own[level], 2)

        self.nodes = nn.ModuleList(
            nn.ModuleList(node(level, column) for level in range(self.depth - column + 1))
            for column in range(1, self.depth + 1)
        )
        self.head = CONV[spatial_dims](own[0], out_channels, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits (batch, out_channels, *spatial) of images (batch, in_channels, *spatial) of any size."""
        padded = pad_to_multiple(image, 32)
        levels = [[maps] for maps in self.encoder(padded)]
        for column in self.nodes:
            for level, node in enumerate(column.children()):
                deeper = resize(levels[level + 1][-1], levels[level][0].shape[2:])
                levels[level].append(node(torch.cat([deeper, *levels[level]], dim=1)))
        return crop_to(self.head(resize(levels[0][-1], padded.shape[2:])), image.shape[2:])
