"""CHS-Net: two RAIU-Nets in series, lungs first and the infection within them (Punn and Agarwal, section 3, Fig. 5)."""

from __future__ import annotations

import torch
from torch import nn

from .raiunet import RAIUNet


class CHSNet(nn.Module):
    """The cascade of two RAIU-Nets (Fig. 5): (a) finds the lungs, (b) the infection in a slice that shows only lungs.

    The paper calls (a)'s output "contour maps" that "discard the irrelevant background" before (b): the slice is kept
    where (a) sees lung and set to the value of air, zero, elsewhere. The cut is made at a probability of 0.5, so that
    (b) sees true grey values; both nets are trained each on its own mask, as the paper evaluates them.

    8.4 M parameters (Table 3). The rows of Table 5, hierarchical segmentation, are the cascade with both RAIUNets built
    as a row of Table 4 (see RAIUNet).

    The library's pipeline runs the same two networks as the stages of a recipe; the weights have the same names.

    Args:
        spatial_dims: 2, the paper's, or 3.
        in_channels: Input maps, in [0, 1].
        **raiunet: Further arguments of both RAIUNets.
    """

    def __init__(self, spatial_dims: int = 2, in_channels: int = 1, **raiunet: int | bool) -> None:
        super().__init__()
        self.lungs = RAIUNet(spatial_dims, in_channels, out_channels=1, **raiunet)  # type: ignore[arg-type]
        self.infection = RAIUNet(spatial_dims, in_channels, out_channels=1, **raiunet)  # type: ignore[arg-type]

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits (batch, 2, *spatial) of lungs and of infection, of images (batch, in_channels, *spatial)."""
        lungs = self.lungs(image)
        return torch.cat([lungs, self.infection(image * (lungs > 0))], dim=1)
