"""Inf-Net with Res2Net50, which CHS-Net compares with (Fan et al., IEEE Transactions on Medical Imaging 2020).

Sections and equations are those of Fan et al. CHS-Net states 33 M parameters; this network has 31.0 M. The classifier
of Res2Net50, which segmentation does not use, has another 2.0 M.
"""

from __future__ import annotations

import torch
from torch import nn

from .blocks import CONV, conv_norm_relu, crop_to, pad_to_multiple, resize
from .encoders import ResNet50


class ReceptiveField(nn.Module):
    """Receptive field block before the partial decoder (Wu et al. 2019): four branches with growing dilation.

    From (batch, in_channels, *spatial) to (batch, out_channels, *spatial). Each branch has a 1x1 convolution and, but
    for the first, a plain and a dilated one of 3x3 (1, 3, 5 and 7). Their concatenation is fused by a 3x3 convolution,
    and a 1x1 convolution of the input is added.
    """

    def __init__(self, dims: int, in_channels: int, out_channels: int) -> None:
        super().__init__()

        def branch(dilation: int) -> nn.Module:
            reduce = conv_norm_relu(dims, in_channels, out_channels, 1)
            if dilation == 1:
                return reduce
            plain = conv_norm_relu(dims, out_channels, out_channels)
            return nn.Sequential(reduce, plain, conv_norm_relu(dims, out_channels, out_channels, 3, dilation))

        self.branches = nn.ModuleList(branch(dilation) for dilation in (1, 3, 5, 7))
        self.fuse = conv_norm_relu(dims, 4 * out_channels, out_channels)
        self.shortcut = conv_norm_relu(dims, in_channels, out_channels, 1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return self.fuse(torch.cat([branch(maps) for branch in self.branches], dim=1)) + self.shortcut(maps)


class PartialDecoder(nn.Module):
    """Parallel partial decoder (section III-C): the three deepest levels give the coarse global map S_g.

    Takes maps of one width, from the finest level, and returns logits (batch, out_channels, *spatial of the finest).
    Deeper maps are interpolated and multiplied with finer ones, and the products are concatenated and convolved.
    """

    def __init__(self, dims: int, channels: int, out_channels: int) -> None:
        super().__init__()
        self.to_middle = conv_norm_relu(dims, channels, channels)
        self.to_fine = nn.ModuleList(conv_norm_relu(dims, channels, channels) for _ in range(2))
        self.join_middle = conv_norm_relu(dims, 2 * channels, 2 * channels)
        self.join_fine = conv_norm_relu(dims, 3 * channels, 3 * channels)
        self.head = CONV[dims](3 * channels, out_channels, 1)

    def forward(self, fine: torch.Tensor, middle: torch.Tensor, deep: torch.Tensor) -> torch.Tensor:
        lifted = resize(deep, middle.shape[2:])
        product = self.to_middle(lifted) * middle
        joined = self.join_middle(torch.cat([product, lifted], dim=1))
        size = fine.shape[2:]
        weighted = self.to_fine[0](resize(deep, size)) * self.to_fine[1](resize(middle, size)) * fine
        return self.head(self.join_fine(torch.cat([weighted, resize(joined, size)], dim=1)))


class ReverseAttention(nn.Module):
    """Reverse attention (section III-D, Eqs. 2 and 3): look where the deeper map has not yet found anything.

    The maps of a level are multiplied by 1 - sigmoid of the deeper logits, joined with the features of the edge, and
    convolved; the result is added to these logits.

    Args:
        dims: Number of spatial axes.
        in_channels: Number of channels of the level.
        width: Number of channels of the convolutions.
        edge: Number of channels of the features of the edge.
        out_channels: Number of labels.
        kernel: Size of the convolutions.
    """

    def __init__(self, dims: int, in_channels: int, width: int, edge: int, out_channels: int, kernel: int) -> None:
        super().__init__()
        self.reduce = conv_norm_relu(dims, in_channels, width, 1)
        self.convs = nn.Sequential(
            conv_norm_relu(dims, width + edge, width, kernel),
            conv_norm_relu(dims, width, width, kernel),
            conv_norm_relu(dims, width, width, kernel),
            CONV[dims](width, out_channels, 1),
        )

    def forward(self, maps: torch.Tensor, deeper: torch.Tensor, edge: torch.Tensor) -> torch.Tensor:
        size = maps.shape[2:]
        deeper = resize(deeper, size)
        # One map for all channels: where no label has been found.
        reverse = 1 - torch.sigmoid(deeper).amax(dim=1, keepdim=True)
        joined = torch.cat([self.reduce(maps * reverse), resize(edge, size)], dim=1)
        return deeper + self.convs(joined)


class InfNet(nn.Module):
    """Inf-Net (Fig. 2).

    Res2Net50 gives five levels. The three deepest ones pass through receptive field blocks and the partial decoder,
    whose coarse map is refined by reverse attention from the deepest level to the third. An edge branch on the second
    level supports each refinement, and is trained on the outline of the mask (section III-B). In training, the logits
    of all four maps are returned, the last refinement first, and then those of the edge. Their semi-supervised variant
    is not included.

    Args:
        spatial_dims: 2, as in the paper, or 3.
        in_channels: Number of input channels.
        out_channels: Number of labels.
        features: Number of channels of the first level of the encoder; 64 in Res2Net50.
    """

    #: The last output in training is the outline; see `training.losses.EdgeLoss`.
    has_edge_branch = True

    def __init__(self, spatial_dims: int = 2, in_channels: int = 1, out_channels: int = 1, features: int = 64) -> None:
        super().__init__()
        dims, narrow = spatial_dims, max(2, features // 2)
        self.encoder = ResNet50(dims, in_channels, features, scale=4)
        _, low, *deep = self.encoder.widths
        self.edge = nn.Sequential(
            conv_norm_relu(dims, low, features, 1),
            conv_norm_relu(dims, features, features),
            conv_norm_relu(dims, features, features),
        )
        self.edge_head = CONV[dims](features, 1, 1)
        self.fields = nn.ModuleList(ReceptiveField(dims, width, narrow) for width in deep)
        self.partial = PartialDecoder(dims, narrow, out_channels)
        sizes = ((features, 3), (features, 3), (4 * features, 5))
        self.reverse = nn.ModuleList(
            ReverseAttention(dims, width, own, features, out_channels, kernel)
            for width, (own, kernel) in zip(deep, sizes, strict=True)
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Return logits (batch, out_channels, *spatial) of images (batch, in_channels, *spatial) of any size.

        In training, a list of logits: of the last refinement, the two before it, the partial decoder, and the edge
        (batch, 1, *spatial).
        """
        padded = pad_to_multiple(image, 32)
        _, low, *deep = self.encoder(padded)
        edge = self.edge(low)
        maps = [self.partial(*(field(level) for field, level in zip(self.fields, deep, strict=True)))]
        for level, refine in zip(reversed(deep), reversed(self.reverse), strict=True):
            maps.insert(0, refine(level, maps[0], edge))
        if self.training:
            maps.append(self.edge_head(edge))
        full = [crop_to(resize(each, padded.shape[2:]), image.shape[2:]) for each in maps]
        return full if self.training else full[0]
