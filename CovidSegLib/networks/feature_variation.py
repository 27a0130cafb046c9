"""Feature variation, the FV block of COVID-SegNet (Yan et al. 2020, section III-B, Fig. 3, Eqs. 1 to 4).

FV-PASPP-DS-UNet (Lin and Huang, sections 2.1 and 3.3, Figs. 2, 4 and 5) adopts the block and compares two channel
branches in it, CE and SE. The papers use different names for the same branches: CE is the contrast enhancement branch
(CEB), and SE is the channel attention block (CAB) of Table II. Both papers call squeeze and excitation (Hu et al. 2018)
the "original".

All blocks take and return feature maps (batch, channels, *spatial) with three spatial axes, as in the papers, or two.
"""

from __future__ import annotations

import torch
from torch import nn

from .blocks import BATCH_NORM, CONV, conv_norm_relu


def channel_weights(dims: int, channels: int, weights: int, reduction: int = 2) -> nn.Sequential:
    """Build the layers of both channel branches, which map (batch, channels, *1) to (batch, weights, *1) in [0, 1].

    Two fully connected layers, C to C / r and C / r to `weights`, with ReLU in between and a sigmoid at the end
    (FV-PASPP-DS-UNet, section 3.3, Figs. 4 and 5; r = 2). The paper states r = 2 for CE. SE has the same r here, so
    that the rows of Table 2 differ in nothing else (Hu et al. use 16). The ReLU and the absence of normalisation follow
    Hu et al.: each channel has one voxel, on which batch normalisation could not train with a single sample.

    Eq. 2 of COVID-SegNet writes the first layer as Cov_3, a 3x3x3 convolution. On a map of one voxel with zero padding,
    only the centre of the kernel meets a value. It is then this fully connected layer, and the other 26 weights of a
    filter would have no effect. They are omitted; the function is the same.
    """
    hidden = max(1, channels // reduction)
    return nn.Sequential(
        CONV[dims](channels, hidden, 1), nn.ReLU(inplace=True), CONV[dims](hidden, weights, 1), nn.Sigmoid()
    )


class ContrastEnhancement(nn.Module):
    """Contrast enhancement branch (CEB, section III-B1, Eqs. 2 and 3; CE in section 3.3 and Fig. 4 of the other paper).

    F_g = Cov_1(Cov_3(GAP(Fv_1))) has the shape (batch, 1, *1), "one weight for all the features". It is expanded to
    F'_g with as many channels as Fv_1, and F_c = F'_g * Fv_1.
    """

    def __init__(self, dims: int, channels: int) -> None:
        super().__init__()
        self.weights = channel_weights(dims, channels, 1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return self.weights(maps.mean(dim=tuple(range(2, maps.ndim)), keepdim=True)) * maps


class ChannelAttention(nn.Module):
    """Channel attention (CAB of Table II, section IV-E; SE in section 3.3 and Fig. 5 of the other paper).

    "Removed the global parameter in CEB": the same as ContrastEnhancement, but with one weight for each channel (batch,
    channels, *1), which is squeeze and excitation.
    """

    def __init__(self, dims: int, channels: int) -> None:
        super().__init__()
        self.weights = channel_weights(dims, channels, channels)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return self.weights(maps.mean(dim=tuple(range(2, maps.ndim)), keepdim=True)) * maps


class PositionSensitive(nn.Module):
    """Position sensitive branch (PSB, section III-B2, Fig. 3, Eq. 4): F_P = A * Fv_1.

    A, in [0, 1], is Fv_1 after two 3x3x3 convolutions with ReLU and sigmoid. It "has same size as input feature", so
    that it has one value for each voxel and channel, where CBAM has one for each voxel. Both convolutions are
    normalised, like every convolution of the paper (section IV-C). CBAM's code also normalises before the sigmoid.
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

    Fv_1 = Cov_1(Fv_in) keeps the number of channels, which the residual sum in Fig. 3 and the expansion of F'_g
    require. Cov_3 reduces the three concatenated branches to the same number. Every Cov is a convolution with batch
    normalisation and ReLU (section IV-C). Like Eq. 1, the block ends with the sum, without an activation after it.

    Table II also has rows with single branches: "we employ the original channel attention block (CAB) to replace the
    CEB and PSB in the FV block" (section IV-E1). Such a row is this block with the named branches beside the identity
    branch, and Cov_3 takes the corresponding number of channels.

    Args:
        dims: Number of spatial axes, 2 or 3.
        channels: Number of input and output channels.
        kind: In Table II of COVID-SegNet: "CAB", "CEB", "PSB" or "FV" (CEB and PSB). In Table 2 of FV-PASPP-DS-UNet:
            "CE" (the same as FV) or "SE" (CAB and PSB).
    """

    def __init__(self, dims: int, channels: int, kind: str = "FV") -> None:
        super().__init__()
        self.reduce = conv_norm_relu(dims, channels, channels, 1)
        self.branches = nn.ModuleList(branch(dims, channels) for branch in FEATURE_VARIATIONS[kind])
        self.fuse = conv_norm_relu(dims, (1 + len(self.branches)) * channels, channels)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        reduced = self.reduce(maps)
        return maps + self.fuse(torch.cat([*(branch(reduced) for branch in self.branches), reduced], dim=1))
