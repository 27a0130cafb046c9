"""What several of the published networks share: layers by dimension, and running on any input size."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

CONV: dict[int, type[nn.Module]] = {2: nn.Conv2d, 3: nn.Conv3d}
CONV_TRANSPOSE: dict[int, type[nn.Module]] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
BATCH_NORM: dict[int, type[nn.Module]] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


def pad_to_multiple(maps: torch.Tensor, multiple: int) -> torch.Tensor:
    """Repeat the far edges of maps (batch, channel, *spatial) until `multiple` divides every spatial size."""
    sizes = maps.shape[2:]
    missing = [(-size) % multiple for size in sizes]
    if not any(missing):
        return maps
    return functional.pad(maps, [n for extra in reversed(missing) for n in (0, extra)], mode="replicate")


def crop_to(maps: torch.Tensor, sizes: torch.Size) -> torch.Tensor:
    """Undo `pad_to_multiple`: cut maps (batch, channel, *spatial) back to the spatial `sizes`."""
    for axis, size in enumerate(sizes, start=2):
        maps = maps.narrow(axis, 0, size)
    return maps
