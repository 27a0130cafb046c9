"""Spectral pooling (Rippel et al. 2015; CHS-Net section 3.1.1, Eq. 2) and the hybrid pooling of CHS-Net.

Spectral pooling computes the discrete Fourier transform of a map, keeps the low frequencies and transforms back. This
is a linear map along each axis. It is implemented as one small matrix for each axis, whose columns are the pooled unit
vectors, computed by FFT. The result equals that of the FFT up to rounding. Unlike torch's FFT, it runs in bfloat16, on
any device and in any export format.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


@lru_cache(maxsize=64)  # arrays, as tensors created during an export are invalid afterwards
def low_pass_matrix(size: int, kept: int, out: int) -> NDArray[np.float32]:
    """Return the matrix (out, size) that keeps the `kept` lowest of `size` frequencies and samples at `out` points.

    Eq. 2 scales the transform and its inverse by one over the root of their lengths, which would multiply the values by
    the root of the pooling factor. Here, the amplitude is kept, so that a constant map stays the same constant. If
    `kept` is even, the highest frequency represents both of its signs: half of each is kept, and the result is real.
    """
    spectrum = np.fft.fft(np.eye(size), axis=0)
    low = np.zeros((out, size), dtype=complex)
    for frequency in range(-(kept // 2), kept // 2 + 1):
        shared = kept < size and kept % 2 == 0 and abs(frequency) == kept // 2
        if abs(frequency) > (kept - 1) // 2 and not shared and (kept < size or frequency > 0):
            continue  # an even, untruncated spectrum contains its highest frequency once
        low[frequency % out] += spectrum[frequency % size] * (0.5 if shared else 1.0)
    return (np.fft.ifft(low, axis=0).real * (out / size)).astype(np.float32)


def spectral_pool(maps: torch.Tensor, stride: int = 2, same: bool = False) -> torch.Tensor:
    """Low-pass feature maps to 1 / `stride` of their frequencies along each spatial axis.

    Args:
        maps: (batch, channels, *spatial) with two or three spatial axes of any size.
        stride: Pooling factor; Fig. 8 shows 2, 8, 16 and 64.
        same: Sample the result at the old positions ("same" padding in the paper), not at every `stride`-th.

    Returns:
        Maps with spatial sizes divided by `stride`, rounded down but at least 1, or of the old size if `same`.
    """
    for axis in range(2, maps.ndim):
        size = int(maps.shape[axis])  # a tensor during TorchScript tracing
        kept = max(1, size // stride)
        matrix = torch.from_numpy(low_pass_matrix(size, kept, size if same else kept)).to(maps)
        maps = torch.tensordot(maps, matrix, dims=([axis], [1])).movedim(maps.ndim - 1, axis)
    return maps


def global_spectral_pool(maps: torch.Tensor) -> torch.Tensor:
    """Pool feature maps (batch, channels, *spatial) spectrally to a single point (section 3.2).

    Only the zeroth frequency remains. As the amplitude is kept, the result is the mean of each map, although the paper
    contrasts it with average pooling.
    """
    return maps.mean(dim=tuple(range(2, maps.ndim)), keepdim=True)


class HybridPool(nn.Module):
    """Hybrid pooling of CHS-Net: max and spectral pooling in parallel, then a 1x1 convolution (section 3.1.1).

    Valid (`same=False`): from (batch, in, h, w) to (batch, out, h / 2, w / 2). Same: the size stays, the maximum is
    taken over 3x3 windows at stride 1, and the upper half of the frequencies is removed.
    """

    def __init__(self, spatial_dims: int, in_channels: int, out_channels: int, same: bool) -> None:
        super().__init__()
        pool = nn.MaxPool2d if spatial_dims == 2 else nn.MaxPool3d
        conv = nn.Conv2d if spatial_dims == 2 else nn.Conv3d
        self.same = same
        self.max_pool = pool(3, stride=1, padding=1) if same else pool(2)
        self.mix = conv(2 * in_channels, out_channels, 1, bias=False)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return self.mix(torch.cat([self.max_pool(maps), spectral_pool(maps, same=self.same)], dim=1))
