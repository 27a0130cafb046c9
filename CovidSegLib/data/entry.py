"""A scan that a folder holds, before its images are read: where its files are, and what the numbers in them mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

#: What a label of a mask stands for: one or several of `case.STRUCTURES`, or nothing that is learnt here.
Labels = Mapping[int, tuple[str, ...]]

LUNGS: tuple[str, ...] = ("lungs",)
INFECTION: tuple[str, ...] = ("infection",)
ONE_LUNGS: Labels = {1: LUNGS}
BOTH_LUNGS: Labels = {1: LUNGS, 2: LUNGS}
ONE_INFECTION: Labels = {1: INFECTION}
#: COVID-19-CT-Seg's labels where one file holds all: left lung, right lung, and the infection within them.
LUNGS_AND_INFECTION: Labels = {1: LUNGS, 2: LUNGS, 3: LUNGS + INFECTION}
#: HU that 0 and 255 mean in the eight-bit half of COVID-19-CT-Seg.
GREY_WINDOW = (-1250.0, 250.0)


@dataclass(frozen=True)
class Entry:
    """One scan of a data set.

    Attributes:
        name: The scan.
        patient: Whom it shows; splits are made by patient.
        files: "ct" and masks by a name of their own, or "dicom", the folder of a whole scan without masks. They may
            be missing: that is told when they are read.
        labels: Of each mask, what its numbers mean; 0 is always nothing.
        slices: Number of slices, where a list of the data set tells it.
        eight_bit: The HU were put back from eight-bit pictures.
        grey_window: HU that 0 and 255 mean, where CTs may be eight-bit pictures; None where that is an error.
    """

    name: str
    patient: str
    files: Mapping[str, Path]
    labels: Mapping[str, Labels] = field(default_factory=dict)
    slices: int | None = None
    eight_bit: bool = False
    grey_window: tuple[float, float] | None = None

    @property
    def structures(self) -> frozenset[str]:
        """What the masks are of, of `case.STRUCTURES`."""
        return frozenset(name for labels in self.labels.values() for names in labels.values() for name in names)


@dataclass(frozen=True)
class Layout:
    """A way in which people lay out scans with masks.

    Attributes:
        name: As shown.
        looks_like: By what it is recognised, in a few words.
        find: From a folder to its entries, without reading images; None for a folder of another layout.
    """

    name: str
    looks_like: str
    find: Callable[[Path], list[Entry] | None]
