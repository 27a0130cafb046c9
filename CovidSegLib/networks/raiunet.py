"""RAIU-Net, the residual attention inception U-Net of CHS-Net (Punn and Agarwal, section 3, Figs. 5 to 11).

Where the paper leaves details open, the docstrings of the blocks state the choice and its reason. All blocks take
feature maps (batch, channels, *spatial) with two spatial axes, as in the paper, or three.
"""

from __future__ import annotations

import torch
from torch import nn

from .blocks import BATCH_NORM, CONV, CONV_TRANSPOSE, PlainBlock, crop_to, pad_to_multiple
from .spectral import HybridPool, global_spectral_pool


def norm_relu(dims: int, channels: int) -> nn.Sequential:
    """Batch normalisation and ReLU, which follow nearly every convolution of the paper (Eq. 4)."""
    return nn.Sequential(BATCH_NORM[dims](channels), nn.ReLU(inplace=True))


def separable_conv(dims: int, in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Depthwise separable convolution (Eqs. 5 and 6, Fig. 4): a filter for each channel, then a 1x1 convolution.

    From (batch, in_channels, *spatial) to (batch, out_channels, *spatial / stride), by Eq. 7 with p = floor(f / 2) at
    stride 1 and p = 0 otherwise. It has 1 / r + 1 / f**2 of the parameters of a plain convolution (Eq. 1; 1 / r + 1 /
    f**3 on three axes). It has no bias, since batch normalisation follows (Eq. 4).
    """
    padding = kernel // 2 if stride == 1 else 0
    depthwise = CONV[dims](in_channels, in_channels, kernel, stride, padding, groups=in_channels, bias=False)
    return nn.Sequential(depthwise, CONV[dims](in_channels, out_channels, 1, bias=False))


class InceptionConv(nn.Module):
    """Inception convolution (section 3.1.2, Eqs. 3 and 4, Fig. 9).

    Depthwise separable convolutions of 1, 3 and 5 and hybrid pooling ("same") in parallel, each with batch
    normalisation and ReLU. Their outputs are concatenated and fused by a 1x1 convolution, batch normalisation and ReLU.

    From (batch, in_channels, *spatial) to (batch, out_channels, *spatial).

    Section 1.4 lists filters of 2, 3 and 5 once; sections 3 and 3.1.2 and Eq. 3 say 1, 3 and 5. The paper does not
    state how many of the r output filters each branch has. A quarter each, as GoogLeNet divides its branches, gives the
    network 4.0 M parameters, close to the 4.2 M of Table 3; r each would give 9.6 M. Without `hybrid_pooling` (rows of
    Tables 4 and 5) the branch has max pooling only.
    """

    def __init__(self, dims: int, in_channels: int, out_channels: int, hybrid_pooling: bool) -> None:
        super().__init__()
        quarter = max(1, out_channels // 4)
        convs = [separable_conv(dims, in_channels, quarter, kernel) for kernel in (1, 3, 5)]
        pool: nn.Module
        if hybrid_pooling:
            pool = HybridPool(dims, in_channels, quarter, same=True)
        else:
            max_pool = (nn.MaxPool2d if dims == 2 else nn.MaxPool3d)(3, stride=1, padding=1)
            pool = nn.Sequential(max_pool, CONV[dims](in_channels, quarter, 1, bias=False))
        self.branches = nn.ModuleList(nn.Sequential(branch, norm_relu(dims, quarter)) for branch in [*convs, pool])
        self.fuse = nn.Sequential(CONV[dims](4 * quarter, out_channels, 1, bias=False), norm_relu(dims, out_channels))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return self.fuse(torch.cat([branch(maps) for branch in self.branches], dim=1))


class ResidualInceptionBlock(nn.Module):
    """Two inception convolutions and a shortcut (section 3.1, Fig. 7).

    From (batch, in_channels, *spatial) to (batch, out_channels, *spatial), d' in Fig. 7. The pooling between two blocks
    is part of RAIUNet.

    The shortcut is a 3x3 depthwise separable convolution with batch normalisation. "Merged" is understood as the sum of
    residual learning, without an activation after it, since both sides are normalised already.
    """

    def __init__(self, dims: int, in_channels: int, out_channels: int, hybrid_pooling: bool) -> None:
        super().__init__()
        self.inception = nn.Sequential(
            InceptionConv(dims, in_channels, out_channels, hybrid_pooling),
            InceptionConv(dims, out_channels, out_channels, hybrid_pooling),
        )
        shortcut = separable_conv(dims, in_channels, out_channels, 3)
        self.shortcut = nn.Sequential(shortcut, BATCH_NORM[dims](out_channels))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return self.inception(maps) + self.shortcut(maps)


class SpectralAttention(nn.Module):
    """Spectral spatial and depth attention (SSD) on a skip connection (section 3.2, Figs. 10 and 11, Eqs. 8 to 12).

    Takes the maps of the skip connection F(l-1) (batch, channels, 2m, 2n) and the next deeper maps of the encoder F(l)
    (batch, deeper_channels, m, n), and returns the refined skip connection in the shape of F(l-1).

    Depth (Eqs. 8, 9): A_d, one number for each channel, from global spectral pooling and two 1x1 convolutions with
    ReLU; F_d = ReLU(BN(conv1x1(A_d * F(l-1)))). Spatial (Eqs. 10 to 12): gamma = ReLU(BN(strided conv(F_d) +
    conv1x1(F(l)))); A_s = upsampled ReLU(conv1x1(gamma)), one number for each pixel; F_s = BN(conv1x1(A_s * F_d)).

    Where text and equations differ: the strided convolution takes F_d, as in Eq. 10, although section 3.2.2 once says
    F(l-1). F_d ends in BN and ReLU and F_s in BN alone, as sections 3.2.1 and 3.2.2 state, although section 3.2 has
    "ReLU activated 1x1 convolution and BN" for both. Fig. 6 also draws a strided and a 1x1 convolution, to match the
    sizes and depths of two levels. Sigma in Eq. 11 is the ReLU that its text names. A descriptor that its ReLU sets to
    zero everywhere could never recover. The last convolution of each descriptor therefore starts with a bias of one:
    attention starts as the identity and learns to depart from it. The strided convolution is 2x2, the subscript
    of K in Eq. 10, and depthwise separable, as section 3 says of both phases. Upsampling is bilinear.
    """

    def __init__(self, dims: int, channels: int, deeper_channels: int) -> None:
        super().__init__()
        conv, narrow = CONV[dims], max(1, channels // 2)
        self.depth_descriptor = nn.Sequential(
            conv(channels, narrow, 1),
            nn.ReLU(inplace=True),
            conv(narrow, channels, 1),
            nn.ReLU(inplace=True),
        )
        self.depth_mix = nn.Sequential(conv(channels, channels, 1, bias=False), norm_relu(dims, channels))
        self.down = separable_conv(dims, channels, deeper_channels, 2, stride=2)
        self.deeper = conv(deeper_channels, deeper_channels, 1, bias=False)
        self.gamma = norm_relu(dims, deeper_channels)
        self.spatial_descriptor = nn.Sequential(
            conv(deeper_channels, 1, 1),
            nn.ReLU(inplace=True),
            nn.Upsample(scale_factor=2, mode="bilinear" if dims == 2 else "trilinear", align_corners=False),
        )
        self.spatial_mix = nn.Sequential(conv(channels, channels, 1, bias=False), BATCH_NORM[dims](channels))
        for last in (self.depth_descriptor[2], self.spatial_descriptor[0]):
            nn.init.constant_(last.get_parameter("bias"), 1.0)

    def forward(self, skip: torch.Tensor, deeper: torch.Tensor) -> torch.Tensor:
        depth = self.depth_mix(self.depth_descriptor(global_spectral_pool(skip)) * skip)
        gamma = self.gamma(self.down(depth) + self.deeper(deeper))
        return self.spatial_mix(self.spatial_descriptor(gamma) * depth)


class RAIUNet(nn.Module):
    """Residual attention inception U-Net (sections 3 to 3.2, Figs. 5 and 6).

    Four stages that halve the size and double the channels, a bottleneck, and four stages back: transposed convolution,
    concatenation with the skip connection that SSD attention has refined, residual inception block. A 1x1 convolution
    ends the network; its sigmoid belongs to the loss and the inference, which take logits.

    With 32 channels in the first stage and a slice of 256 x 256 (section 4.1) the feature maps are

    - encoder: 32 x 256 x 256, 64 x 128 x 128, 128 x 64 x 64, 256 x 32 x 32 and, the bottleneck, 512 x 16 x 16;
    - decoder: 256 x 32 x 32, 128 x 64 x 64, 64 x 128 x 128 and 32 x 256 x 256.

    Rows of Table 4 are (inception, hybrid_pooling, attention): (False, False, False), the baseline U-Net BU (Fig. 3,
    standard convolutions and max pooling); (True, False, False), BU+RIB; (True, True, False), BU+RIB+HP; and (True,
    True, True), BU+RIB+HP+SSD, RAIU-Net. Table 5 has the same rows for CHSNet.

    The paper writes that the depth grows "by 50 %" and, in section 3.2.2, from p/2 to p; the latter is meant. With 32
    channels in the first stage, the usual choice for 256 x 256 slices, the network has 3.99 M parameters; Table 3 has
    4.2 M. The text leaves open where the 5 % lie:

    | reading | parameters |
    | --- | --- |
    | as here | 3.99 M |
    | a bias in every convolution | 4.01 M |
    | Fig. 6: the strided convolution of the skip connection in addition to the one in SSD | 4.17 M |
    | both | 4.19 M |
    | Fig. 6: a 1x1 convolution after each concatenation, which keeps its depth | 4.34 M |
    | a plain instead of a depthwise separable strided convolution in SSD | 4.51 M |
    | transposed convolutions of 3x3 instead of 2x2 | 4.86 M |

    The second strided convolution of Fig. 6 would reach the figure, but section 3.2.2 and Eq. 10 have one; the figure
    is understood to draw this one.

    Args:
        spatial_dims: 2, as in the paper, or 3.
        in_channels: Number of input channels: one slice, as in the paper, or several neighbouring slices.
        out_channels: Number of labels.
        features: Number of channels of the first stage.
        inception: Use residual inception blocks (RIB in Tables 4 and 5), otherwise plain convolutions.
        hybrid_pooling: Use hybrid pooling (HP), otherwise max pooling.
        attention: Use SSD attention on the skip connections, otherwise plain skip connections.
    """

    stages = 4

    def __init__(
        self,
        spatial_dims: int = 2,
        in_channels: int = 1,
        out_channels: int = 1,
        features: int = 32,
        inception: bool = True,
        hybrid_pooling: bool = True,
        attention: bool = True,
    ) -> None:
        super().__init__()

        def block(ins: int, outs: int) -> nn.Module:
            if inception:
                return ResidualInceptionBlock(spatial_dims, ins, outs, hybrid_pooling)
            return PlainBlock(spatial_dims, ins, outs)

        def pool(channels: int) -> nn.Module:
            if hybrid_pooling:
                return HybridPool(spatial_dims, channels, channels, same=False)
            return (nn.MaxPool2d if spatial_dims == 2 else nn.MaxPool3d)(2)

        widths = [features * 2**stage for stage in range(self.stages + 1)]
        self.encoder = nn.ModuleList(
            block(ins, outs) for ins, outs in zip([in_channels, *widths[:-1]], widths, strict=True)
        )
        self.pools = nn.ModuleList(pool(width) for width in widths[:-1])
        self.attention = nn.ModuleList(
            SpectralAttention(spatial_dims, width, 2 * width) for width in (widths[:-1] if attention else [])
        )
        self.ups = nn.ModuleList(CONV_TRANSPOSE[spatial_dims](2 * width, width, 2, stride=2) for width in widths[:-1])
        self.decoder = nn.ModuleList(block(2 * width, width) for width in widths[:-1])
        self.head = CONV[spatial_dims](features, out_channels, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits (batch, out_channels, *spatial) of images (batch, in_channels, *spatial) of any size."""
        maps = pad_to_multiple(image, 2**self.stages)
        encoded = []
        for stage, block in enumerate(self.encoder):
            maps = block(maps if stage == 0 else self.pools[stage - 1](maps))
            encoded.append(maps)
        for stage in reversed(range(self.stages)):
            skip = encoded[stage]
            if self.attention:
                skip = self.attention[stage](skip, encoded[stage + 1])
            maps = self.decoder[stage](torch.cat([self.ups[stage](maps), skip], dim=1))
        return crop_to(self.head(maps), image.shape[2:])
