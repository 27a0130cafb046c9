"""Random training patches of cases, resampled to the spacing of the network's input and cached in memory as int16."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import Dataset

from ..data.case import Case
from ..inference.patches import input_hu
from ..inference.regions import volume_frame
from ..preprocessing import grey_statistics, scale_window, standardise
from ..recipe import Augmentation, Stage
from ..volume import AIR_HU
from .augmentation import augment, build_grey_augmentation
from .targets import known_slices, target_mask

#: Number of foreground voxels of a scan that are kept as possible positions of patches.
MAX_FOREGROUND_VOXELS = 10000


class _Scan(NamedTuple):
    """Consecutive annotated slices of a case on the grid of the network's input.

    Attributes:
        pixels: int16 HU (z, y, x).
        mask: uint8 target (channels, z, y, x).
        foreground: int (n, 3), positions of voxels of the stage's last label, the infection or the lungs.
        statistics: Same as in `grey_statistics`.
    """

    pixels: torch.Tensor
    mask: torch.Tensor
    foreground: torch.Tensor
    statistics: tuple[float, float] | None


class PatchDataset(Dataset):
    """Random patches of cases: image (1, *size) and mask (channels, *size), float32.

    A scan is drawn in proportion to its voxels, and the patch lies anywhere in it. A scan smaller than the patch is
    padded with air. With the recipe's probability `foreground`, the scan is drawn in proportion to its foreground
    voxels instead, and the patch contains a random one of them at a random position.

    Args:
        cases: The scans.
        stage: A stage with `patches`.
        name: Name of the stage, "lungs" or "infection".
        augmentation: The recipe's augmentation.

    Raises:
        InputError: A case has no mask of one of the stage's labels.
    """

    def __init__(
        self, cases: Sequence[Case], stage: Stage, name: str, augmentation: Sequence[Augmentation] = ()
    ) -> None:
        assert stage.patches is not None
        self.stage, self.size, self.foreground_probability = stage, stage.patches.size, stage.patches.foreground
        *self.space_and_intensity, self.augment_grey = build_grey_augmentation(augmentation, name, stage)
        self.scans = [scan for case in cases for scan in _scans(case, stage)]
        voxels = torch.tensor([float(scan.pixels.numel()) for scan in self.scans])
        self.voxel_shares = voxels / voxels.sum()
        self.foreground_voxels = torch.tensor([float(len(scan.foreground)) for scan in self.scans])
        #: Number of patches that cover all scans once.
        self.count = sum(
            math.prod(math.ceil(n / side) for n, side in zip(scan.pixels.shape, self.size, strict=True))
            for scan in self.scans
        )

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, item: int) -> tuple[torch.Tensor, torch.Tensor]:
        balanced = bool(self.foreground_voxels.any()) and float(torch.rand(())) < self.foreground_probability
        weights = self.foreground_voxels if balanced else self.voxel_shares
        scan = self.scans[int(torch.multinomial(weights, 1))]
        voxel = scan.foreground[int(torch.randint(len(scan.foreground), ()))].tolist() if balanced else None
        starts = self._starts(scan.pixels.shape, voxel)
        box = tuple(slice(start, start + side) for start, side in zip(starts, self.size, strict=True))
        image, mask = scan.pixels[box][None].float(), scan.mask[(slice(None), *box)].float()
        missing = [side - n for side, n in zip(self.size, image.shape[1:], strict=True)]
        pad = [n for extra in reversed(missing) for n in (extra // 2, extra - extra // 2)]
        image, mask = functional.pad(image, pad, value=AIR_HU), functional.pad(mask, pad)
        augment_space, augment_intensity = self.space_and_intensity
        grey, mask = augment(augment_space, scale_window(image, self.stage.intensity.window_hu), mask)
        return augment(augment_intensity, standardise(grey, self.stage.intensity, scan.statistics), mask)

    def _starts(self, shape: Sequence[int], voxel: Sequence[int] | None) -> list[int]:
        """Draw the first voxel of a patch in a scan of that shape; the patch contains `voxel` if given."""
        starts = []
        for axis, (length, side) in enumerate(zip(shape, self.size, strict=True)):
            first, last = 0, max(length - side, 0)
            if voxel is not None:
                first, last = max(first, voxel[axis] - side + 1), min(last, voxel[axis])
            starts.append(int(torch.randint(first, last + 1, ())))
        return starts


def _foreground(mask: torch.Tensor, stage: Stage) -> torch.Tensor:
    """Return positions (n, 3) of voxels of the stage's last label, evenly thinned to `MAX_FOREGROUND_VOXELS`."""
    last = mask[-1] == (len(stage.labels) - 1 if stage.exclusive else 1)
    voxels = torch.nonzero(last)
    return voxels[:: math.ceil(len(voxels) / MAX_FOREGROUND_VOXELS) or 1]


def _scans(case: Case, stage: Stage) -> Iterator[_Scan]:
    """Yield the runs of at least two consecutive slices on which all structures are annotated."""
    known, target = known_slices(case, stage), target_mask(case, stage)
    for annotated, group in groupby(range(len(known)), lambda z: bool(known[z])):
        run = list(group)
        if not annotated or len(run) < 2:
            continue
        part = slice(run[0], run[-1] + 1)
        scan, lungs = case.scan[part], case.lungs[part]
        frame = volume_frame(stage, scan, lungs)
        pixels = input_hu(stage, frame, scan, lungs)
        mask = torch.stack([frame.extract_labels(np.asarray(channel[part])) for channel in target])
        statistics = grey_statistics(pixels, stage.intensity)
        yield _Scan(pixels.round().to(torch.int16), mask, _foreground(mask, stage), statistics)
