"""Feature variation, the FV block of COVID-SegNet (Yan et al. 2020, section III-B, Fig. 3, Eqs. 1 to 4).

FV-PASPP-DS-UNet (Lin and Huang, sections 2.1 and 3.3, Figs. 2, 4 and 5) takes the block over and tries two channel
branches in it, CE and SE. The two papers' names for the same things: CE is the contrast enhancement branch (CEB), SE is
the channel attention block (CAB) of Table II, both papers' "original" being squeeze and excitation (Hu et al. 2018).

All blocks take and return maps (batch, channels, *spatial) with three spatial axes, the papers', or two.
"""

from __future__ import annotations

import torch
from torch import nn

from .blocks import BATCH_NORM, CONV, conv_norm_relu


def channel_weights(dims: int, channels: int, weights: int, reduction: int = 2) -> nn.Sequential:
    """The small network of both channel branches: (batch, channels, *1) to `weights` numbers in [0, 1] a sample.

    Two fully connected layers, C to C / r and C / r to `weights`, with ReLU between and a sigmoid at the end
    (FV-PASPP-DS-UNet section 3.3, Figs. 4 and 5; r = 2). It says r = 2 of CE; SE is given the same r, so that the rows
    of Table 2 differ in nothing else (Hu et al. take 16). ReLU between and no normalisation are Hu et al.'s: there
    is one voxel a channel, which batch normalisation could not train on with one sample.

    Eq. 2 of COVID-SegNet writes the first layer as Cov_3, a 3x3x3 convolution. On a map of one voxel, padded with
    zeros, only its centre ever meets a value: it is this fully connected layer, and the other 26 weights of a filter
    would be dead. They are left out; the function is the same.
    """
    hidden = max(1, channels // reduction)
    return nn.Sequential(
        CONV[dims](channels, hidden, 1), nn.ReLU(inplace=True), CONV[dims](hidden, weights, 1), nn.Sigmoid()
    )


class ContrastEnhancement(nn.Module):
    """Contrast enhancement branch (CEB, section III-B1, Eqs. 2 and 3; CE in section 3.3 and Fig. 4 of the other paper).

    F_g = Cov_1(Cov_3(GAP(Fv_1))) (batch, 1, *1), "one weight for all the features", expanded to F'_g of as many
    channels as Fv_1; F_c = F'_g * Fv_1.
    """

    def __init__(self, dims: int, channels: int) -> None:
        super().__init__()
        self.weights = channel_weights(dims, channels, 1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return self.weights(maps.mean(dim=tuple(range(2, maps.ndim)), keepdim=True)) * maps


class ChannelAttention(nn.Module):
    """Channel attention (CAB of Table II, section IV-E; SE in section 3.3 and Fig. 5 of the other paper).

    "Removed the global parameter in CEB": as ContrastEnhancement, but with one weight a channel (batch, channels, *1),
    which is squeeze and excitation.
    """

    def __init__(self, dims: int, channels: int) -> None:
        super().__init__()
        self.weights = channel_weights(dims, channels, channels)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return self.weights(maps.mean(dim=tuple(range(2, maps.ndim)), keepdim=True)) * maps


class PositionSensitive(nn.Module):
    """Position sensitive branch (PSB, section III-B2, Fig. 3, Eq. 4): F_P = A * Fv_1.

    A, in [0, 1], is Fv_1 after two 3x3x3 convolutions with ReLU and sigmoid. It "has same size as input feature", so it
    has a value a voxel and channel, where CBAM has one a voxel. Both convolutions are normalised, as every
    convolution of the paper is (section IV-C); CBAM's code too normalises before the sigmoid.
    """

    def __init__(self, dims: int, channels: int) -> None:
        super().__init__()
        last = CONV[dims](channels, channels, 3, padding=1, bias=False)
        self.attention = nn.Sequential(
            conv_norm_relu(dims, channels, channels), last, BATCH_NORM[dims](channels), nn.Sigmoid()
        )

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return self.attention(maps) * maps


FEATURE_VARIATIONS: dict[str, tuple[type[nn.Module], ...]] = {
    "CAB": (ChannelAttention,),
    "CEB": (ContrastEnhancement,),
    "PSB": (PositionSensitive,),
    "FV": (ContrastEnhancement, PositionSensitive),
    "CE": (ContrastEnhancement, PositionSensitive),
    "SE": (ChannelAttention, PositionSensitive),
}


class FeatureVariation(nn.Module):
    """FV block (section III-B, Fig. 3, Eq. 1): Fv_out = Fv_in + Cov_3(Conca(C(Fv_1), P(Fv_1), Fv_1)).

    Fv_1 = Cov_1(Fv_in) keeps the channels, as Fig. 3's residual sum and the expansion of F'_g need; Cov_3 takes the
    three branches together back to them. Every Cov is a convolution with batch normalisation and ReLU (section IV-C).
    Eq. 1 ends with its sum, and so does the block, with no activation after it.

    Table II takes single branches too: "we employ the original channel attention block (CAB) to replace the CEB and PSB
    in the FV block" (section IV-E1). So a row is this block with the branches that it names, beside the identity
    branch, and Cov_3 takes as many maps as there are.

    Args:
        dims: Spatial axes, 2 or 3.
        channels: Of the maps in and out.
        kind: COVID-SegNet's Table II: "CAB", "CEB", "PSB" or "FV" (CEB and PSB). FV-PASPP-DS-UNet's Table 2: "CE" (the
            same as FV) or "SE" (CAB and PSB).
    """

    def __init__(self, dims: int, channels: int, kind: str = "FV") -> None:
        super().__init__()
        self.reduce = conv_norm_relu(dims, channels, channels, 1)
        self.branches = nn.ModuleList(branch(dims, channels) for branch in FEATURE_VARIATIONS[kind])
        self.fuse = conv_norm_relu(dims, (1 + len(self.branches)) * channels, channels)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        reduced = self.reduce(maps)
        return maps + self.fuse(torch.cat([*(branch(reduced) for branch in self.branches), reduced], dim=1))
