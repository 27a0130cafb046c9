"""Cases as a data set of random patches on the grid that a network sees, cached in memory as int16."""

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
from ..inference.patches import seen_volume
from ..inference.regions import volume_frame
from ..preprocessing import AIR_HU, grey_statistics, scale_window, standardise
from ..recipe import Augmentation, Stage
from .augmentation import GREY_AUGMENTATIONS, build_augmentation
from .slices import changed
from .targets import known_slices, target_mask


class _Scan(NamedTuple):
    """Consecutive slices of a case on the network's grid: int16 HU (z, y, x), uint8 target (channels, z, y, x), ..."""

    pixels: torch.Tensor
    mask: torch.Tensor
    statistics: tuple[float, float] | None


class PatchDataset(Dataset):
    """Random patches of cases for one stage: (image (1, *patch), mask (channels, *patch)).

    A scan is drawn as often as its share of all voxels says, and the patch anywhere in it; what sticks out is air.

    Args:
        cases: The scans.
        stage: What the network sees: patches.
        name: "lungs" or "infection", of the stage.
        augmentation: The recipe's changes.

    Raises:
        InputError: The stage has a label that the cases have no masks of.
    """

    def __init__(
        self, cases: Sequence[Case], stage: Stage, name: str, augmentation: Sequence[Augmentation] = ()
    ) -> None:
        assert stage.patches is not None
        self.stage, self.size = stage, stage.patches.size
        self.augment = build_augmentation(augmentation, name, 3, GREY_AUGMENTATIONS)
        self.scans = [scan for case in cases for scan in _scans(case, stage)]
        voxels = torch.tensor([float(scan.pixels.numel()) for scan in self.scans])
        self.share = voxels / voxels.sum()
        #: As many patches as cover all scans once.
        self.count = sum(
            math.prod(math.ceil(n / side) for n, side in zip(scan.pixels.shape, self.size, strict=True))
            for scan in self.scans
        )

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, item: int) -> tuple[torch.Tensor, torch.Tensor]:
        scan = self.scans[int(torch.multinomial(self.share, 1))]
        room = [max(length - side, 0) for length, side in zip(scan.pixels.shape, self.size, strict=True)]
        starts = [int(torch.randint(most + 1, ())) for most in room]
        box = tuple(slice(start, start + side) for start, side in zip(starts, self.size, strict=True))
        image, mask = scan.pixels[box][None].float(), scan.mask[(slice(None), *box)].float()
        missing = [side - n for side, n in zip(self.size, image.shape[1:], strict=True)]
        pad = [n for extra in reversed(missing) for n in (extra // 2, extra - extra // 2)]
        image, mask = functional.pad(image, pad, value=AIR_HU), functional.pad(mask, pad)
        grey, mask = changed(self.augment, scale_window(image, self.stage.intensity.window_hu), mask)
        return standardise(grey, self.stage.intensity, scan.statistics), mask


def _scans(case: Case, stage: Stage) -> Iterator[_Scan]:
    """The runs of two or more slices of a case of which all is known; a single one is no volume."""
    known, target = known_slices(case, stage), target_mask(case, stage)
    for whether, group in groupby(range(len(known)), lambda z: bool(known[z])):
        run = list(group)
        if not whether or len(run) < 2:
            continue
        part = slice(run[0], run[-1] + 1)
        axial, lungs = case.axial[part], case.lungs[part]
        frame = volume_frame(stage, axial, case.spacing, lungs)
        pixels = seen_volume(stage, frame, axial, case.spacing, lungs)
        mask = torch.stack([frame.take_labels(np.asarray(channel[part])) for channel in target])
        yield _Scan(pixels.round().to(torch.int16), mask, grey_statistics(pixels, stage.intensity))
