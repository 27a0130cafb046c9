"""Building blocks that several of the published networks share."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

CONV: dict[int, type[nn.Module]] = {2: nn.Conv2d, 3: nn.Conv3d}
CONV_TRANSPOSE: dict[int, type[nn.Module]] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
BATCH_NORM: dict[int, type[nn.Module]] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


def pad_to_multiple(maps: torch.Tensor, multiple: int) -> torch.Tensor:
    """Pad feature maps by repeating their far edges until `multiple` divides every spatial size.

    If a single voxel would remain on the coarsest grid, the last axis is padded to two voxels there. Batch
    normalisation cannot train on a single value for each channel, which is all that one patch would provide.

    Args:
        maps: (batch, channels, *spatial).
        multiple: The divisor.
    """
    sizes = maps.shape[2:]
    missing = [(-size) % multiple for size in sizes]
    if all(size <= multiple for size in sizes):
        missing[-1] += multiple
    if not any(missing):
        return maps
    return functional.pad(maps, [n for extra in reversed(missing) for n in (0, extra)], mode="replicate")


def crop_to(maps: torch.Tensor, sizes: torch.Size) -> torch.Tensor:
    """Undo `pad_to_multiple`: crop feature maps (batch, channels, *spatial) to the spatial `sizes`."""
    for axis, size in enumerate(sizes, start=2):
        maps = maps.narrow(axis, 0, size)
    return maps


def conv_norm(dims: int, in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution and batch normalisation, the "Conv-BN" of several papers. Keeps the spatial sizes at stride 1."""
    conv = CONV[dims](in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, BATCH_NORM[dims](out_channels))


def resize(maps: torch.Tensor, sizes: torch.Size) -> torch.Tensor:
    """Interpolate feature maps (batch, channels, *spatial) bilinearly or trilinearly to other spatial sizes."""
    if maps.shape[2:] == sizes:
        return maps
    mode = "bilinear" if maps.ndim == 4 else "trilinear"
    return functional.interpolate(maps, sizes, mode=mode, align_corners=False)


def conv_norm_relu(dims: int, in_channels: int, out_channels: int, kernel: int = 3, dilation: int = 1) -> nn.Sequential:
    """Convolution, batch normalisation and ReLU that keep the spatial sizes; atrous if `dilation` is above 1."""
    padding = dilation * (kernel // 2)
    conv = CONV[dims](in_channels, out_channels, kernel, padding=padding, dilation=dilation, bias=False)
    return nn.Sequential(conv, BATCH_NORM[dims](out_channels), nn.ReLU(inplace=True))


def deconv_norm_relu(dims: int, in_channels: int, out_channels: int) -> nn.Sequential:
    """Deconvolution (kernel 3, "a stride of 1/2"), batch normalisation and ReLU. Doubles the spatial sizes exactly."""
    deconv = CONV_TRANSPOSE[dims](in_channels, out_channels, 3, stride=2, padding=1, output_padding=1, bias=False)
    return nn.Sequential(deconv, BATCH_NORM[dims](out_channels), nn.ReLU(inplace=True))


class PlainBlock(nn.Sequential):
    """Conv-BN-ReLU twice: a level of the plain U-Net, which is the baseline of every paper here."""

    def __init__(self, dims: int, in_channels: int, out_channels: int) -> None:
        super().__init__(
            conv_norm_relu(dims, in_channels, out_channels), conv_norm_relu(dims, out_channels, out_channels)
        )


class ResidualBlock(nn.Module):
    """Residual block of two 3x3x3 convolutions: ReLU(F(X) + X) (RA-UNet, section 3.2, Fig. 2 left; COVID-SegNet).

    F is Conv-BN-ReLU-Conv-BN, and the ReLU follows the sum, as in ResNet. The papers mention ReLU but no normalisation.
    If the number of channels changes, X passes a 1x1x1 convolution and batch normalisation (ResNet's option B). Without
    `residual` the block is ReLU(F(X)), as in the U-Net of RA-UNet's Table 1.
    """

    def __init__(self, dims: int, in_channels: int, out_channels: int, residual: bool = True) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            conv_norm(dims, in_channels, out_channels),
            nn.ReLU(inplace=True),
            conv_norm(dims, out_channels, out_channels),
        )
        self.shortcut: nn.Module | None = None
        if residual:
            same = in_channels == out_channels
            self.shortcut = nn.Identity() if same else conv_norm(dims, in_channels, out_channels, 1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        changed = self.convs(maps)
        return functional.relu(changed if self.shortcut is None else changed + self.shortcut(maps))
