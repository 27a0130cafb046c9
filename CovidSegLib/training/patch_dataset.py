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
from ..inference.patches import input_hu
from ..inference.regions import volume_frame
from ..preprocessing import grey_statistics, scale_window, standardise
from ..recipe import Augmentation, Stage
from ..volume import AIR_HU
from .augmentation import GREY_AUGMENTATIONS, build_augmentation
from .slice_dataset import changed
from .targets import known_slices, target_mask

#: So many of a scan's voxels are remembered to place patches about; more would be no more random.
REMEMBERED = 10000


class _Scan(NamedTuple):
    """Consecutive slices of a case on the network's grid.

    Attributes:
        pixels: int16 HU (z, y, x).
        mask: uint8 target (channels, z, y, x).
        found: int (n, 3): places of voxels of what is found last, the infection or the lungs.
        statistics: As of `grey_statistics`.
    """

    pixels: torch.Tensor
    mask: torch.Tensor
    found: torch.Tensor
    statistics: tuple[float, float] | None


class PatchDataset(Dataset):
    """Random patches of cases for one stage: (image (1, *patch), mask (channels, *patch)).

    A scan is drawn as often as its share of all voxels says, and the patch anywhere in it; what sticks out is air. Of
    as large a share of the patches as the recipe says, the scan is drawn by its share of what is to be found, and the
    patch such that it holds a random voxel of that, anywhere in it.

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
        self.stage, self.size, self.foreground = stage, stage.patches.size, stage.patches.foreground
        self.augment = build_augmentation(augmentation, name, stage, GREY_AUGMENTATIONS)
        self.scans = [scan for case in cases for scan in _scans(case, stage)]
        voxels = torch.tensor([float(scan.pixels.numel()) for scan in self.scans])
        self.share = voxels / voxels.sum()
        self.found = torch.tensor([float(len(scan.found)) for scan in self.scans])
        #: As many patches as cover all scans once.
        self.count = sum(
            math.prod(math.ceil(n / side) for n, side in zip(scan.pixels.shape, self.size, strict=True))
            for scan in self.scans
        )

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, item: int) -> tuple[torch.Tensor, torch.Tensor]:
        balanced = bool(self.found.any()) and float(torch.rand(())) < self.foreground
        scan = self.scans[int(torch.multinomial(self.found if balanced else self.share, 1))]
        place = scan.found[int(torch.randint(len(scan.found), ()))].tolist() if balanced else None
        starts = self._starts(scan.pixels.shape, place)
        box = tuple(slice(start, start + side) for start, side in zip(starts, self.size, strict=True))
        image, mask = scan.pixels[box][None].float(), scan.mask[(slice(None), *box)].float()
        missing = [side - n for side, n in zip(self.size, image.shape[1:], strict=True)]
        pad = [n for extra in reversed(missing) for n in (extra // 2, extra - extra // 2)]
        image, mask = functional.pad(image, pad, value=AIR_HU), functional.pad(mask, pad)
        grey, mask = changed(self.augment, scale_window(image, self.stage.intensity.window_hu), mask)
        return standardise(grey, self.stage.intensity, scan.statistics), mask

    def _starts(self, shape: Sequence[int], place: Sequence[int] | None) -> list[int]:
        """Where a patch begins in a scan: anywhere, or anywhere from where it holds a place."""
        starts = []
        for axis, (length, side) in enumerate(zip(shape, self.size, strict=True)):
            first, last = 0, max(length - side, 0)
            if place is not None:
                first, last = max(first, place[axis] - side + 1), min(last, place[axis])
            starts.append(int(torch.randint(first, last + 1, ())))
        return starts


def _found(mask: torch.Tensor, stage: Stage) -> torch.Tensor:
    """Places (n, 3) of voxels of the stage's last label, evenly taken, at most `REMEMBERED`."""
    last = mask[-1] == (len(stage.labels) - 1 if stage.exclusive else 1)
    places = torch.nonzero(last)
    return places[:: math.ceil(len(places) / REMEMBERED) or 1]


def _scans(case: Case, stage: Stage) -> Iterator[_Scan]:
    """The runs of two or more slices of a case of which all is known; a single one is no volume."""
    known, target = known_slices(case, stage), target_mask(case, stage)
    for whether, group in groupby(range(len(known)), lambda z: bool(known[z])):
        run = list(group)
        if not whether or len(run) < 2:
            continue
        part = slice(run[0], run[-1] + 1)
        scan, lungs = case.scan[part], case.lungs[part]
        frame = volume_frame(stage, scan, lungs)
        pixels = input_hu(stage, frame, scan, lungs)
        mask = torch.stack([frame.extract_labels(np.asarray(channel[part])) for channel in target])
        yield _Scan(pixels.round().to(torch.int16), mask, _found(mask, stage), grey_statistics(pixels, stage.intensity))
