"""QC-HC U-Net: a 3D U-Net with quick connections and hypercolumns (Zhang, Ren and Wei 2021, "Methods", Figs. 4 to 8).

The quick connection is that of DRU-Net (Jafari et al. 2020, reference 13 of the paper), whose sentences the paper
repeats. Hypercolumns are those of Hariharan et al. 2015 (reference 29). The plain 3D U-Net is the one that the paper
compares with in Tables 1 to 3, "Dominik's 3D U-Net", and builds on (Müller et al. 2020, reference 11, the MIScnn
pipeline). Where the paper leaves details open, the network follows these three; the docstrings of the blocks state
these choices. All blocks take feature maps (batch, channels, *spatial) with three spatial axes, as in the paper, or
two.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from .blocks import CONV, CONV_TRANSPOSE, PlainBlock, conv_norm, crop_to, pad_to_multiple, resize


class QuickEncoderBlock(nn.Module):
    """Quick connection of the encoder ("Quick connection", Fig. 7 encoder block).

    From X (batch, c, *spatial) to (batch, 2c, *spatial):

        Y1 = BN(conv 3x3x3(X)), Y2 = BN(conv 3x3x3(ReLU(Y1))), Y = ReLU(Y2 + Y1 + X), output = concatenate(Y, X)

    Y1 + Y2 is the connection "between the first Conv-BN and the last Conv-BN output". Through it, the first convolution
    learns when the gradient of the second is close to zero. "+ X" is ResNet's skip (Fig. 5, "1:1 transmissions, no
    additional parameters"). The text does not mention it again for the encoder; the published code of DRU-Net adds it.
    The concatenation is "input and output combined in a cascading manner". The next level is twice as wide and takes
    these 2c channels, so that X needs no 1x1x1 convolution anywhere in the encoder.
    """

    def __init__(self, dims: int, channels: int) -> None:
        super().__init__()
        self.first = conv_norm(dims, channels, channels)
        self.last = conv_norm(dims, channels, channels)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        first = self.first(maps)
        summed = self.last(functional.relu(first)) + first + maps
        return torch.cat([functional.relu(summed), maps], dim=1)


class QuickDecoderBlock(nn.Module):
    """Quick connection of the decoder ("Quick connection", Fig. 7 decoder block).

    From X (batch, in_channels, *spatial), the concatenated skip and upsampled maps, to (batch, out_channels, *spatial):

        Y1 = BN(conv 3x3x3(X)), Y2 = BN(conv 3x3x3(ReLU(Y1))), output = ReLU(Y2 + Y1 + BN(conv 1x1x1(X)))

    "Conv 1x1 and BN" give X the width of the output, and the three terms are added. The paper contrasts this "simple
    summation" with DenseNet's concatenation (Fig. 6), although it also calls this block a cascade block.
    """

    def __init__(self, dims: int, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = conv_norm(dims, in_channels, out_channels)
        self.last = conv_norm(dims, out_channels, out_channels)
        self.shortcut = conv_norm(dims, in_channels, out_channels, 1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        first = self.first(maps)
        return functional.relu(self.last(functional.relu(first)) + first + self.shortcut(maps))


class Hypercolumns(nn.Module):
    """Logits of every voxel from the feature maps of several levels ("Hypercolumns", Eqs. 4 to 8, Fig. 8).

    Takes feature maps F(j) (batch, channels[j], *spatial / 2**j), finest first, and returns (batch, out_channels,
    *spatial).

    Eq. 4: every F(j) is upsampled linearly, f_i(j) = sum_k alpha_ik F_k(j), and the hypercolumn f_i of a voxel is the
    vector of all of them. Eq. 7: a linear classifier w of the hypercolumn is a sum of one w(j) for each level. Eq. 8:
    as upsampling is linear, w(j) can be applied first, as a 1x1x1 convolution on the smaller grid of the level; the
    resulting scores are upsampled and added. Hundreds of maps need not be upsampled, and the result is the same.

    Eq. 8 prints f_i(j) transposed and omits w(j) on its right-hand side; Hariharan's w(j)^T F_k(j) is meant. The
    equations do not mention the bias, which is added once, at the finest level. Eqs. 5 and 6, a grid of classifiers g_k
    across a detection box, are meant for Hariharan's boxes. A patch is not a box around one object, so that one
    classifier serves all positions, as in the paper's own derivation of Eqs. 7 and 8.
    """

    def __init__(self, dims: int, channels: Sequence[int], out_channels: int) -> None:
        super().__init__()
        self.classifiers = nn.ModuleList(
            CONV[dims](width, out_channels, 1, bias=level == 0) for level, width in enumerate(channels)
        )

    def forward(self, levels: Sequence[torch.Tensor]) -> torch.Tensor:
        sizes = levels[0].shape[2:]
        scores = self.classifiers[0](levels[0])
        for classify, maps in zip(self.classifiers[1:], levels[1:], strict=True):
            scores = scores + resize(classify(maps), sizes)
        return scores


class QCHCUNet(nn.Module):
    """QC-HC U-Net ("Network structure", Fig. 4).

    Five levels; "the highest resolution uses 32 feature maps, and the lowest 512", "upsampled four times". With the
    default arguments and a patch of 160 x 160 x 80, each level l has w = 32 * 2**l channels:

    | level | grid | encoder in, out | decoder in (skip + up), out |
    | --- | --- | --- | --- |
    | 0 | 160 x 160 x 80 | 32, 64 | 64 + 32, 32 |
    | 1 | 80 x 80 x 40 | 64, 128 | 128 + 64, 64 |
    | 2 | 40 x 40 x 20 | 128, 256 | 256 + 128, 128 |
    | 3 | 20 x 20 x 10 | 256, 512 | 512 + 256, 256 |
    | 4 | 10 x 10 x 5 | 512, 1024 | |

    32 to 512 are understood as the channels that the convolutions of a level produce, as in the 3D U-Net of Fig. 4; the
    cascade doubles them. The paper states no number of parameters. Here it is 31.0 million, and 22.6 million in the
    plain 3D U-Net. The paper hopes to "reduce the parameters", which DRU-Net does compared with DenseNet, but not with
    U-Net. If 32 to 512 were the channels after the cascade, which is `features=16`, the network would have 7.7 million.

    The image enters the first level through a 7x7x7 convolution to 32 channels, as in DRU-Net, since the sum and the
    cascade need an input as wide as the level. The plain blocks do without it. Downsampling is max pooling ("Polling"),
    upsampling a 2x2x2 transposed convolution with stride 2, as in MIScnn's U-Net. The hypercolumns combine the four
    decoder levels, the "information between the different layers of the decoder part"; the lowest level belongs to the
    encoder. The softmax over the labels (background, left lung, right lung, infection; background and tumour for the
    MSD data) belongs to the loss and the inference, which take logits.

    Args:
        spatial_dims: 3, as in the paper, or 2.
        in_channels: Number of input channels.
        out_channels: Number of labels: 4, or 2 for the MSD lung tumours.
        features: Number of channels of the first level.
        quick_connection: Use quick connections (QC) in encoder and decoder, otherwise plain blocks.
        hypercolumns: Use hypercolumns (HC), otherwise a 1x1x1 convolution of the last decoder level alone.
    """

    levels = 5

    def __init__(
        self,
        spatial_dims: int = 3,
        in_channels: int = 1,
        out_channels: int = 4,
        features: int = 32,
        quick_connection: bool = True,
        hypercolumns: bool = True,
    ) -> None:
        super().__init__()
        dims = spatial_dims
        widths = [features * 2**level for level in range(self.levels)]
        skips = [2 * width if quick_connection else width for width in widths]
        self.stem: nn.Module = nn.Identity()
        if quick_connection:
            self.stem = CONV[dims](in_channels, features, 7, padding=3)
            self.encoder = nn.ModuleList(QuickEncoderBlock(dims, width) for width in widths)
        else:
            inputs = [in_channels, *widths[:-1]]
            self.encoder = nn.ModuleList(
                PlainBlock(dims, ins, width) for ins, width in zip(inputs, widths, strict=True)
            )
        self.pool = (nn.MaxPool2d if dims == 2 else nn.MaxPool3d)(2)
        deeper = [*widths[1:-1], skips[-1]]
        self.ups = nn.ModuleList(
            CONV_TRANSPOSE[dims](below, width, 2, stride=2) for below, width in zip(deeper, widths[:-1], strict=True)
        )
        block = QuickDecoderBlock if quick_connection else PlainBlock
        self.decoder = nn.ModuleList(
            block(dims, skip + width, width) for skip, width in zip(skips[:-1], widths[:-1], strict=True)
        )
        self.gathered = self.levels - 1 if hypercolumns else 1
        self.head = Hypercolumns(dims, widths[: self.gathered], out_channels)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits (batch, out_channels, *spatial) of images (batch, in_channels, *spatial) of any size."""
        maps = self.stem(pad_to_multiple(image, 2 ** (self.levels - 1)))
        skips = []
        for level, block in enumerate(self.encoder):
            maps = block(maps if level == 0 else self.pool(maps))
            skips.append(maps)
        decoded: list[torch.Tensor] = []
        for level in reversed(range(self.levels - 1)):
            maps = self.decoder[level](torch.cat([skips[level], self.ups[level](maps)], dim=1))
            decoded.insert(0, maps)
        return crop_to(self.head(decoded[: self.gathered]), image.shape[2:])
