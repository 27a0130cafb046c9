"""FV-PASPP-DS-UNet, COVID-SegNet refined by deep supervision (Lin and Huang, "COVID19 infection region segmentation").

See section 2 and Fig. 1. Its two blocks are those of COVID-SegNet (reference 1): the FV block (section 2.1, Fig. 2),
with an SE or a CE branch (section 3.3, Figs. 4 and 5), is in feature_variation.py, and PASPP (section 2.2, Fig. 3) in
paspp.py. The deep supervision (section 2.3) is that of BRAVE-NET (reference 3). Feature maps are (batch, channels,
*spatial) with three spatial axes, as in the paper, or two.
"""

from __future__ import annotations

import torch
from torch import nn

from .blocks import CONV, PlainBlock, crop_to, deconv_norm_relu, pad_to_multiple, resize
from .feature_variation import FeatureVariation
from .paspp import PASPP

FEATURE_VARIATION_ROWS = ("none", "SE", "CE")
PYRAMID_ROWS = ("none", "PASPP")


class FVPASPPUNet(nn.Module):
    """U-Net with feature variation, PASPP and deep supervision (sections 2 and 3.2, Fig. 1).

    With 64 channels at the first level and a patch of 128 x 128 x 8, as in the paper (Table 1), the feature maps are

    - E1: two 3x3x3 convolutions; 64 x 128 x 128 x 8.
    - E2, E3: max pooling, FV block, two convolutions; 128 x 64 x 64 x 4 and 256 x 32 x 32 x 2.
    - E4: max pooling, FV block, two convolutions, PASPP; 512 x 16 x 16 x 1.
    - D3, D2, D1: deconvolution, concatenation with E3, E2, E1, two convolutions; 256, 128 and 64 channels.

    Deep supervision (section 2.3): "feature maps from intermediate decoding levels", D3 and D2, "are first upsampled to
    the output dimension and then fed into a 1x1x1 convolutional layer". D1, which has that dimension already, also has
    one. Here, the 1x1x1 convolution runs first and its logits are upsampled. This is the same function, since
    interpolation weights voxels and the convolution weights channels, and needs 1 / 256 of the memory for D3. The paper
    does not name the interpolation; it is linear here (BRAVE-NET repeats voxels). The sigmoid belongs to the loss and
    the inference, which take logits. The loss applies the weights of section 3.2, 0.5 for the final map and 0.5 for the
    others together, 0.25 each, to 0.5 BCE + Dice (section 3.1).

    Section 3.6, lung-masked input, is preprocessing: the network receives a CT with one value outside the lungs ("lung
    only" in Table 5) or the whole CT ("original image"), depending on the recipe.

    Choices where the paper leaves details open:

    - "A UNet based model", into which the blocks are "inserted" (section 3.2), and whose baseline is "UNet" (Table 3):
      each level has the two convolutions of U-Net, with batch normalisation and ReLU, and max pooling. It does not have
      the residual blocks of COVID-SegNet, which the paper does not mention. No block replaces another, so that each row
      of Table 3 is the row above with one addition.
    - Levels (4), channels (64 to 512) and deconvolutions (3x3x3, stride 1/2) are those of COVID-SegNet, since "we
      implemented the paper" (section 2). So is the position of the FV block, after each downsampling (see CovidSegNet).
    - PASPP adds the inputs of the atrous convolutions (`merge="inputs"` of PASPP): the paper has no equations, only
      Fig. 3 and "residual branches in parallel" (section 2.2).

    Rows of Table 2 are feature_variation "SE" and "CE" with pyramid "none" and without deep supervision. Rows of Table
    3 are (feature_variation, pyramid, deep_supervision): ("none", "none", False), ("SE", "none", False), ("SE",
    "PASPP", False) and ("SE", "PASPP", True), the network itself. The rows of Table 5 are the same network with two
    inputs. The paper states no number of parameters; the last row of Table 3 has 39.9 million.

    Args:
        spatial_dims: 3, as in the paper, or 2.
        in_channels: Number of input channels.
        out_channels: Number of labels; 1 for infection.
        features: Number of channels of E1.
        feature_variation: "none", "SE" or "CE".
        pyramid: "none" or "PASPP".
        deep_supervision: Also return the logits of D3 and D2 in training.
    """

    levels = 4

    def __init__(
        self,
        spatial_dims: int = 3,
        in_channels: int = 1,
        out_channels: int = 1,
        features: int = 64,
        feature_variation: str = "SE",
        pyramid: str = "PASPP",
        deep_supervision: bool = True,
    ) -> None:
        super().__init__()
        if feature_variation not in FEATURE_VARIATION_ROWS:
            raise ValueError(f"feature_variation is {feature_variation!r}; allowed: {FEATURE_VARIATION_ROWS}")
        if pyramid not in PYRAMID_ROWS:
            raise ValueError(f"pyramid is {pyramid!r}; allowed: {PYRAMID_ROWS}")
        widths = [features * 2**level for level in range(self.levels)]
        pool = nn.MaxPool2d if spatial_dims == 2 else nn.MaxPool3d

        def layer(above: int) -> nn.Sequential:
            """Build the start of E2, E3 and E4: downsampling and FV block."""
            down: list[nn.Module] = [pool(2)]
            if feature_variation != "none":
                down.append(FeatureVariation(spatial_dims, above, feature_variation))
            return nn.Sequential(*down)

        self.downs = nn.ModuleList(layer(above) for above in widths[:-1])
        self.encoder = nn.ModuleList(
            PlainBlock(spatial_dims, ins, outs) for ins, outs in zip([in_channels, *widths], widths, strict=False)
        )
        bottom = widths[-1]
        self.pyramid = nn.Identity() if pyramid == "none" else PASPP(spatial_dims, bottom, pyramid, merge="inputs")
        self.ups = nn.ModuleList(deconv_norm_relu(spatial_dims, 2 * width, width) for width in widths[:-1])
        self.decoder = nn.ModuleList(PlainBlock(spatial_dims, 2 * width, width) for width in widths[:-1])
        heads = widths[:-1] if deep_supervision else widths[:1]
        self.heads = nn.ModuleList(CONV[spatial_dims](width, out_channels, 1) for width in heads)

    def forward(self, image: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Return logits (batch, out_channels, *spatial) of images (batch, in_channels, *spatial) of any size.

        In training with deep supervision, return a list: the final logits of D1, then those of D2 and D3.
        """
        maps = pad_to_multiple(image, 2 ** (self.levels - 1))
        sizes = maps.shape[2:]
        encoded = []
        for level, block in enumerate(self.encoder):
            maps = block(maps if level == 0 else self.downs[level - 1](maps))
            encoded.append(maps)
        maps = self.pyramid(maps)
        decoded: list[torch.Tensor] = []
        for level in reversed(range(self.levels - 1)):
            maps = self.decoder[level](torch.cat([self.ups[level](maps), encoded[level]], dim=1))
            decoded.insert(0, maps)
        wanted = len(self.heads) if self.training else 1
        logits = [
            crop_to(resize(head(each), sizes), image.shape[2:])
            for head, each in zip(self.heads[:wanted], decoded, strict=False)
        ]
        return logits if self.training and len(self.heads) > 1 else logits[0]
