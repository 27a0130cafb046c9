"""CHS-Net: two RAIU-Nets in series, lungs first and the infection within them (Punn and Agarwal, section 3, Fig. 5)."""

from __future__ import annotations

import torch
from torch import nn

from .raiunet import RAIUNet


class CHSNet(nn.Module):
    """Cascade of two RAIU-Nets (Fig. 5): (a) segments the lungs, (b) the infection in slices that show only lungs.

    The paper calls the output of (a) "contour maps" that "discard the irrelevant background" before (b). Here, the
    slice is kept where (a) predicts lung and set to zero, the value of air, elsewhere. The mask is cut at a probability
    of 0.5, so that (b) receives unchanged grey values. Both networks are trained on their own masks, as the paper
    evaluates them.

    The network has 7.99 M parameters; Table 3 has 8.4 M, see RAIUNet. The rows of Table 5, hierarchical segmentation,
    are this cascade with both RAIUNets built as a row of Table 4.

    The pipeline runs the same two networks as the stages of a recipe. The names of the weights are the same.

    Args:
        spatial_dims: 2, as in the paper, or 3.
        in_channels: Number of input channels, with values in [0, 1].
        **raiunet: Further arguments of both RAIUNets.
    """

    def __init__(self, spatial_dims: int = 2, in_channels: int = 1, **raiunet: int | bool) -> None:
        super().__init__()
        self.lungs = RAIUNet(spatial_dims, in_channels, out_channels=1, **raiunet)  # type: ignore[arg-type]
        self.infection = RAIUNet(spatial_dims, in_channels, out_channels=1, **raiunet)  # type: ignore[arg-type]

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits (batch, 2, *spatial) of lungs and infection, for images (batch, in_channels, *spatial)."""
        lungs = self.lungs(image)
        return torch.cat([lungs, self.infection(image * (lungs > 0))], dim=1)
