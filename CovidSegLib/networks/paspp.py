"""Progressive atrous spatial pyramid pooling, PASPP (Yan et al. 2020, section III-C, Fig. 4, Eqs. 5 to 9).

It is part of COVID-SegNet; FV-PASPP-DS-UNet (Lin and Huang, section 2.2, Fig. 3) adopts it. Feature maps are (batch,
channels, *spatial) with three spatial axes, as in the papers, or two.
"""

from __future__ import annotations

import torch
from torch import nn

from .blocks import conv_norm_relu

DILATIONS = (1, 2, 4, 8)  # Eq. 6: d = 2 ** (t - 1), t = 1, 2, 3, 4
PYRAMIDS = ("ASPP", "ResASPP", "PASPP")


class PASPP(nn.Module):
    """PASPP and the pyramids that Table II compares with it (section III-C2, Fig. 4). Keeps channels C and sizes.

    Fp_t, t = 1 to 4: four parallel 1x1x1 convolutions of Fp_in, each to C / 4 channels (second column of Fig. 4).

    - Eq. 6: Fd_t = Cov_3^d(Fp_t), atrous 3x3x3 convolutions with dilation d = 1, 2, 4, 8; C / 4 channels each.
    - Eq. 7: Fd'_t = Fd_t + Fd_1 + Fd_2 for t = 1, 2 and Fd_t + Fd_3 + Fd_4 for t = 3, 4; C / 4 channels each.
    - Eq. 8: Fd''_1 = Cov_1(Conca(Fd'_1, Fd'_2)), Fd''_2 = Cov_1(Conca(Fd'_3, Fd'_4)); C / 2 channels each.
    - Eq. 9: Fp_out = Cov_1(Conca(Fd''_1, Fd''_2)). The paper does not state its number of channels. It is C here, so
      that the block can be inserted into a network and removed from it.

    Every Cov is a convolution with batch normalisation and ReLU (section IV-C).

    The paper contradicts itself on Eq. 7. The sentence before it adds "the inputs of two adjacent atrous convolution
    branches", Fp_1 + Fp_2 and Fp_3 + Fp_4. Fig. 4 adds "the outputs from two 1x1x1 convolutional layers", which are the
    same. So do merge-and-run mappings, reference 22 of the paper. The equation, however, adds the outputs Fd. The
    default, `merge="outputs"`, follows the equation literally; `merge="inputs"` follows the text. The two differ in
    kind. The equation mixes two maps by the invertible matrix ((2, 1), (1, 2)), which the following Cov_1 could undo,
    and gives the gradient no path around the atrous convolution. Such a path is the advantage that section IV-E2 names,
    and the text provides it.

    Rows of Table II (section IV-E2): "ASPP" concatenates Fd_1 to Fd_4 of Eq. 6 and fuses them with one Cov_1.
    "ResASPP", "which removes the concatenation in PASPP", adds the sums of Eq. 7 before that. All three keep the 1x1x1
    convolutions in front, so that the rows differ only in the fusion.

    Args:
        dims: Number of spatial axes, 2 or 3.
        channels: C, the number of input and output channels.
        kind: "PASPP", "ResASPP" or "ASPP".
        merge: What Eq. 7 adds: "outputs" or "inputs" of the atrous convolutions. Not used in "ASPP".
    """

    def __init__(self, dims: int, channels: int, kind: str = "PASPP", merge: str = "outputs") -> None:
        super().__init__()
        if kind not in PYRAMIDS or merge not in ("outputs", "inputs"):
            raise ValueError(f"pyramid {kind!r} with merge {merge!r}: allowed are {PYRAMIDS} and 'outputs', 'inputs'")
        self.residual, self.progressive, self.merge = kind != "ASPP", kind == "PASPP", merge
        quarter = max(1, channels // 4)
        self.reduce = nn.ModuleList(conv_norm_relu(dims, channels, quarter, 1) for _ in DILATIONS)
        self.atrous = nn.ModuleList(conv_norm_relu(dims, quarter, quarter, 3, dilation) for dilation in DILATIONS)
        pairs = 2 if self.progressive else 0
        self.fuse_pairs = nn.ModuleList(conv_norm_relu(dims, 2 * quarter, 2 * quarter, 1) for _ in range(pairs))
        self.fuse = conv_norm_relu(dims, 4 * quarter, channels, 1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        inputs = [reduce(maps) for reduce in self.reduce]
        outputs = [atrous(each) for atrous, each in zip(self.atrous, inputs, strict=True)]  # Eq. 6
        if self.residual:  # Eq. 7
            added = outputs if self.merge == "outputs" else inputs
            small, large = added[0] + added[1], added[2] + added[3]
            outputs = [outputs[0] + small, outputs[1] + small, outputs[2] + large, outputs[3] + large]
        if self.progressive:  # Eq. 8
            halves = (torch.cat(outputs[:2], dim=1), torch.cat(outputs[2:], dim=1))
            outputs = [fuse(half) for fuse, half in zip(self.fuse_pairs, halves, strict=True)]
        return self.fuse(torch.cat(outputs, dim=1))  # Eq. 9
