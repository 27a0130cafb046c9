"""One of the CTs of a follow-up."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date as Date
from functools import cached_property

import numpy as np

from ..masks import bounding_box
from ..quantification.live import LiveCounts
from ..quantification.numbers import RegionNumbers, numbers_of
from ..segmentation import Segmentation
from ..volume import Volume


@dataclass(frozen=True)
class TimePoint:
    """A CT with its masks.

    Attributes:
        volume: The CT.
        segmentation: Its masks, from the model or edited.
        date: Day on which the CT was made, if it is known.
    """

    volume: Volume
    segmentation: Segmentation
    date: Date | None = None

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the voxels, by which the CT is recognised in other comparisons."""
        digest = hashlib.sha256(str(self.volume.grid.shape).encode())
        for part in self.volume.array:  # slice by slice, to save memory
            digest.update(np.rint(part).astype("<i2").tobytes())
        return digest.hexdigest()

    @cached_property
    def regions(self) -> tuple[RegionNumbers, ...]:
        """The numbers of the lungs and of their zones, the same as in the panel. Empty if there are no lungs."""
        lungs, infection = self.segmentation.lungs, self.segmentation.infection
        box = bounding_box(lungs > 0)
        if box is None:
            return ()
        counts = LiveCounts(self.volume.array, self.volume.grid).update(box, lungs[box], infection[box])
        return numbers_of(counts).regions
