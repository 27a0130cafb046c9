"""RA-UNet: a residual 3D U-Net with self-attention in its decoder (Zeng et al. 2023, section 3, Figs. 1 to 3).

Residual blocks are those of ResNet (He et al. 2016, reference 3 of the paper). The attention is that of bottleneck
transformers (BoTNet, Srinivas et al. 2021, reference 8) on three axes. Where the paper leaves details open, the network
follows these two; the docstrings of the blocks state the choices. All blocks take feature maps (batch, channels,
*spatial) with three spatial axes, as in the paper, or two.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from .blocks import BATCH_NORM, CONV, ResidualBlock, conv_norm, crop_to, pad_to_multiple, resize


class SelfAttention(nn.Module):
    """Self-attention with three-dimensional positions (section 3.3, Eq. 2, Fig. 3): X to Z, both (batch, c, *spatial).

    Q, K and V are 1x1x1 convolutions of X (without bias, as in BoTNet; a bias of K would cancel in the softmax). P =
    w_d + w_h + w_w is the elementwise sum of the learnable w_d (c, D, 1, 1), w_h (c, 1, H, 1) and w_w (c, 1, 1, W), and

        Z_i = sum_j softmax_j(k(q_i, k_j)) V_j with k(q_i, k_j) = exp(q_i . (k_j + P_j) / sqrt(c))

    which is Eq. 2 with the logits Q K^T + Q P^T of BoTNet. BoTNet scales both by the root of the width, d in Eq. 2.

    There is one head, as in Eq. 2 and Fig. 3. The paper calls P the relative position code and has one value for each
    position, as drawn in Fig. 4 of BoTNet; this is implemented here (the released code of BoTNet has one value for each
    difference of positions). w_* are initialised with a normal distribution of standard deviation 1 / sqrt(c), as in
    BoTNet.

    Any size: w_* are made for `sizes`, the grid of the recipe's patches, and interpolated linearly along their axis for
    other grids. A patch of another size, or a whole scan, thus receives the code of the same relative position in its
    field of view. For the recipe's own patches the code is exactly that of Fig. 3.

    Memory: t = D * H * W tokens have t * t weights. A row of the softmax does not depend on other rows. If batch * t *
    t exceeds `max_weights`, the queries are therefore processed in parts, with the same result and at most max_weights
    weights at a time, 256 MiB in float32. (torch's fused kernels store no weights at all; this limits the memory on
    devices without them. In training without a fused kernel, the weights of all parts are kept for the gradient: train
    on patches.)

    Args:
        channels: c.
        sizes: D, H, W, or H, W, of the grid that w_* are made for.
        positions: Add P, otherwise attention without positions.
    """

    max_weights = 2**26

    def __init__(self, channels: int, sizes: Sequence[int], positions: bool = True) -> None:
        super().__init__()
        conv = CONV[len(sizes)]
        self.query = conv(channels, channels, 1, bias=False)
        self.key = conv(channels, channels, 1, bias=False)
        self.value = conv(channels, channels, 1, bias=False)
        axes = "dhw"[-len(sizes) :]
        self.w = nn.ParameterDict(
            {axis: torch.randn(1, channels, size) * channels**-0.5 for axis, size in zip(axes, sizes, strict=True)}
            if positions
            else {}
        )

    def add_positions(self, keys: torch.Tensor) -> torch.Tensor:
        """Return K + P for K (batch, c, *spatial)."""
        for axis, code in enumerate(self.w.values(), start=2):
            size = keys.shape[axis]
            if code.shape[2] != size:
                code = functional.interpolate(code, size, mode="linear", align_corners=False)
            shape = [1, code.shape[1], *(size if other == axis else 1 for other in range(2, keys.ndim))]
            keys = keys + code.reshape(shape).to(keys.dtype)
        return keys

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        tokens = maps[0, 0].numel()

        def as_tokens(mapped: torch.Tensor) -> torch.Tensor:  # (batch, one head, tokens, c)
            return mapped.flatten(2).transpose(1, 2).unsqueeze(1)

        keys, values = as_tokens(self.add_positions(self.key(maps))), as_tokens(self.value(maps))
        at_once = max(1, self.max_weights // (tokens * maps.shape[0]))
        pieces = as_tokens(self.query(maps)).split(at_once, dim=2)
        mixed = [functional.scaled_dot_product_attention(piece, keys, values) for piece in pieces]
        return torch.cat(mixed, dim=2).squeeze(1).transpose(1, 2).reshape(maps.shape)


class RABlock(nn.Module):
    """Residual attention block (section 3.2, Eq. 1, Fig. 2 right): H(X) = ReLU(F(X) + X), both (batch, c, *spatial).

    F is the bottleneck of ResNet50 with attention as the second of its three layers: 1x1x1 convolution to c / 4
    channels, attention, 1x1x1 convolution to c channels, "the output dimension of the last layer the same as the input
    dimension". Batch normalisation follows each, and ReLU the first two, as in BoTNet. c / 4 is the ratio of ResNet50.
    Eq. 1 shows no final ReLU; ResNet writes the same equation and has one. X is the output of a ReLU, so that the block
    passes it on unchanged if F(X) = 0.
    """

    def __init__(self, channels: int, sizes: Sequence[int], positions: bool = True) -> None:
        super().__init__()
        dims, narrow = len(sizes), max(1, channels // 4)
        self.bottleneck = nn.Sequential(
            conv_norm(dims, channels, narrow, 1),
            nn.ReLU(inplace=True),
            SelfAttention(narrow, sizes, positions),
            BATCH_NORM[dims](narrow),
            nn.ReLU(inplace=True),
            conv_norm(dims, narrow, channels, 1),
        )

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.bottleneck(maps) + maps)


class RAUNet(nn.Module):
    """RA-UNet (section 3.1, Fig. 1).

    Five levels with w = 16, 32, 64, 128, 256 channels. With the patch of 192 x 192 x 32 (section 4.3):

    | level | grid | encoder | decoder |
    | --- | --- | --- | --- |
    | 1 | 192 x 192 x 32 | 2 residual blocks, 16 channels | 32 + 16 in, residual block, 16 channels |
    | 2 | 96 x 96 x 16 | 2 residual blocks, 32 channels | 64 + 32 in, residual block, 32 channels |
    | 3 | 48 x 48 x 8 | 2 residual blocks, 64 channels | 128 + 64 in, residual block, 64 channels |
    | 4 | 24 x 24 x 4 | 2 residual blocks, 128 channels | 256 + 128 in, residual block, RA block, 128 channels |
    | 5 | 12 x 12 x 2 | 2 residual blocks, 256 channels | |

    "The penultimate layer" is level 4, counted from the first layer with 16 channels, as the paper counts its channels:
    24 * 24 * 4 = 2304 tokens, whose 2304 * 2304 weights take 21 MB for each patch in float32. The other reading, the
    last but one to be computed, is level 2: 147456 tokens and 87 GB for each patch, more than the memory of the paper's
    single V100. The RA block follows the residual block of the level. It keeps the width of its input, which a block
    that takes in the skip connection cannot, so that the decoder still has its one residual block for each level. Level
    5 is shared by encoder and decoder, as in U-Net; "combines" is the concatenation of U-Net.

    Downsampling is a 3x3x3 convolution with stride 2 that doubles the channels, with batch normalisation and ReLU.
    Upsampling is linear interpolation ("bilinear" in the paper, trilinear on three axes). "The number of input channels
    for the first layer is 16": a 3x3x3 convolution with batch normalisation and ReLU produces them from the image. A
    1x1x1 convolution ends the network; its sigmoid belongs to the loss and the inference, which take logits. The paper
    states no number of parameters; here it is 13.0 million.

    Args:
        spatial_dims: 3, as in the paper, or 2.
        in_channels: Number of input channels.
        out_channels: Number of labels; 1 in the paper, infection.
        features: Number of channels of the first level.
        residual: Use residual blocks, otherwise the same convolutions without shortcuts.
        attention: Use the RA block. Without it and `residual` the network is the U-Net of Table 1.
        positions: Use the position code of Fig. 3 in the RA block, otherwise attention without positions.
        patch_size: Size of the training patches along the spatial axes, which the position code is made for; (32, 192,
            192) as in the paper if None. Other sizes work too, see SelfAttention.
    """

    levels = 5
    attention_level = 3  # level 4 of the table

    def __init__(
        self,
        spatial_dims: int = 3,
        in_channels: int = 1,
        out_channels: int = 1,
        features: int = 16,
        residual: bool = True,
        attention: bool = True,
        positions: bool = True,
        patch_size: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        dims = spatial_dims
        widths = [features * 2**level for level in range(self.levels)]

        def block(ins: int, outs: int) -> nn.Module:
            return ResidualBlock(dims, ins, outs, residual)

        def conv(ins: int, outs: int, stride: int) -> nn.Module:
            return nn.Sequential(conv_norm(dims, ins, outs, 3, stride), nn.ReLU(inplace=True))

        self.stem = conv(in_channels, features, 1)
        self.encoder = nn.ModuleList(nn.Sequential(block(width, width), block(width, width)) for width in widths)
        self.downs = nn.ModuleList(conv(width, 2 * width, 2) for width in widths[:-1])
        self.decoder = nn.ModuleList(block(3 * width, width) for width in widths[:-1])
        self.attention: nn.Module = nn.Identity()
        if attention:
            multiple, scale = 2 ** (self.levels - 1), 2**self.attention_level
            patch = tuple(patch_size or (32, 192, 192)[-dims:])
            sizes = [-(-size // multiple) * multiple // scale for size in patch]
            self.attention = RABlock(widths[self.attention_level], sizes, positions)
        self.head = CONV[dims](features, out_channels, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits (batch, out_channels, *spatial) of images (batch, in_channels, *spatial) of any size."""
        maps = self.stem(pad_to_multiple(image, 2 ** (self.levels - 1)))
        skips = []
        for level, blocks in enumerate(self.encoder):
            maps = blocks(maps if level == 0 else self.downs[level - 1](maps))
            skips.append(maps)
        for level in reversed(range(self.levels - 1)):
            skip = skips[level]
            maps = self.decoder[level](torch.cat([resize(maps, skip.shape[2:]), skip], dim=1))
            if level == self.attention_level:
                maps = self.attention(maps)
        return crop_to(self.head(maps), image.shape[2:])
