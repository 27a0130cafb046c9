"""COVID-SegNet, a residual 3D U-Net with feature variation and PASPP (Yan et al. 2020, sections III and IV-C, Fig. 2).

Its two blocks have their own files: the FV block (Fig. 3, Eqs. 1 to 4) is in feature_variation.py, the PASPP block
(Fig. 4, Eqs. 5 to 9) in paspp.py. Where the paper leaves details open, the network follows U-Net, V-Net (references 26
and 24) and ResNet; the docstrings state these choices. Feature maps are (batch, channels, *spatial) with three spatial
axes, as in the paper, or two.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from .blocks import CONV, ResidualBlock, conv_norm, crop_to, deconv_norm_relu, pad_to_multiple
from .feature_variation import FeatureVariation
from .paspp import PASPP

FEATURE_VARIATION_ROWS = ("none", "CAB", "CEB", "PSB", "FV")
PYRAMID_ROWS = ("none", "ASPP", "ResASPP", "PASPP")


class CovidSegNet(nn.Module):
    """COVID-SegNet (section III-A, Fig. 2; parameters in section IV-C).

    With 64 channels at the first level and a patch of 128 x 128 x 64, as in the paper, the feature maps of the encoder
    are

    - E1: residual block; 64 x 128 x 128 x 64.
    - E2, E3: downsampling, FV block, residual block; 128 x 64 x 64 x 32 and 256 x 32 x 32 x 16.
    - E4: downsampling, FV block, PASPP; 512 x 16 x 16 x 8.

    D3, D2 and D1 each consist of a deconvolution "with a stride of 1/2", the concatenation with E3, E2 or E1, and a
    residual block; they have 256, 128 and 64 channels. A 1x1x1 convolution ends the network. The softmax belongs to the
    loss and the inference, which take logits. Section III-A mentions a sigmoid, section IV-C a softmax, with the loss
    over a label map. The softmax is meant, for one network that segments lung and infection (final result in Fig. 2):
    background, lung, infection.

    Choices where the paper leaves details open:

    - Position of the FV block. "Each layer employs residual and FV blocks [...], except the E4 layer", and PASPP takes
      what is "extracted with FV block as input". Both statements hold if an FV block follows each of the three
      downsamplings: three residual blocks and three FV blocks in the encoder, and FV directly before PASPP. The other
      reading, FV after the residual blocks of E1 to E3, would have PASPP take the features of a downsampling.
    - Downsampling: a 3x3x3 convolution with stride 2 that doubles the number of channels, with batch normalisation and
      ReLU. "All layers use 3x3x3 kernels", it mirrors the deconvolution, and V-Net does the same. With max pooling,
      nothing in E4, which has no residual block, would increase 256 channels to 512.
    - Residual block: "adds up the input features and the results after two convolutional layers". There is one block
      for each layer, with ResNet's order (ReLU after the sum) and its 1x1x1 convolution on the shortcut where the
      number of channels changes.
    - The baseline of Table II, UNet4, "a UNet structure with 4 layers in the encoder": the same network without FV, and
      with a residual block, as in the other layers, in place of the pyramid in E4. Table II has no column for residual
      blocks, so that all its rows have them.

    Rows of Table II are (feature_variation, pyramid): ("none", "none"), ("CAB", "none"), ("CEB", "none"), ("PSB",
    "none"), ("FV", "none"), ("none", "ASPP"), ("none", "ResASPP"), ("none", "PASPP") and ("FV", "PASPP"), the network
    itself. The paper states no number of parameters; the last row has 70.4 million.

    Args:
        spatial_dims: 3, as in the paper, or 2.
        in_channels: Number of input channels.
        out_channels: Number of labels; 3 for background, lung, infection.
        features: Number of channels of E1.
        feature_variation: "none", "CAB", "CEB", "PSB" or "FV".
        pyramid: "none", "ASPP", "ResASPP" or "PASPP".
        merge: What Eq. 7 adds in ResASPP and PASPP: "outputs" by the equation, "inputs" by the text (see PASPP).
    """

    levels = 4

    def __init__(
        self,
        spatial_dims: int = 3,
        in_channels: int = 1,
        out_channels: int = 3,
        features: int = 64,
        feature_variation: str = "FV",
        pyramid: str = "PASPP",
        merge: str = "outputs",
    ) -> None:
        super().__init__()
        if feature_variation not in FEATURE_VARIATION_ROWS:
            raise ValueError(f"feature_variation is {feature_variation!r}; allowed: {FEATURE_VARIATION_ROWS}")
        if pyramid not in PYRAMID_ROWS:
            raise ValueError(f"pyramid is {pyramid!r}; allowed: {PYRAMID_ROWS}")
        widths = [features * 2**level for level in range(self.levels)]

        def layer(above: int, width: int) -> nn.Sequential:
            """Build the start of E2, E3 and E4: downsampling and FV block."""
            down: list[nn.Module] = [conv_norm(spatial_dims, above, width, stride=2), nn.ReLU(inplace=True)]
            if feature_variation != "none":
                down.append(FeatureVariation(spatial_dims, width, feature_variation))
            return nn.Sequential(*down)

        self.downs = nn.ModuleList(layer(above, width) for above, width in pairwise(widths))
        bottom = widths[-1]
        self.encoder = nn.ModuleList(
            [
                ResidualBlock(spatial_dims, in_channels, features),
                *(ResidualBlock(spatial_dims, width, width) for width in widths[1:-1]),
                ResidualBlock(spatial_dims, bottom, bottom)
                if pyramid == "none"
                else PASPP(spatial_dims, bottom, pyramid, merge),
            ]
        )
        self.ups = nn.ModuleList(deconv_norm_relu(spatial_dims, 2 * width, width) for width in widths[:-1])
        self.decoder = nn.ModuleList(ResidualBlock(spatial_dims, 2 * width, width) for width in widths[:-1])
        self.head = CONV[spatial_dims](features, out_channels, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits (batch, out_channels, *spatial) of images (batch, in_channels, *spatial) of any size."""
        maps = pad_to_multiple(image, 2 ** (self.levels - 1))
        encoded = []
        for level, block in enumerate(self.encoder):
            maps = block(maps if level == 0 else self.downs[level - 1](maps))
            encoded.append(maps)
        for level in reversed(range(self.levels - 1)):
            maps = self.decoder[level](torch.cat([self.ups[level](maps), encoded[level]], dim=1))
        return crop_to(self.head(maps), image.shape[2:])
