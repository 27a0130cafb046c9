"""The entries of a data set: where the files of a scan are and what their labels mean, before any image is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

#: The structures of `case.STRUCTURES` that each label of a mask means; none for structures that are not used.
Labels = Mapping[int, tuple[str, ...]]

LUNGS: tuple[str, ...] = ("lungs",)
INFECTION: tuple[str, ...] = ("infection",)
ONE_LUNGS: Labels = {1: LUNGS}
BOTH_LUNGS: Labels = {1: LUNGS, 2: LUNGS}
ONE_INFECTION: Labels = {1: INFECTION}
LEFT_AND_RIGHT: Labels = {1: (*LUNGS, "left_lung"), 2: (*LUNGS, "right_lung")}
#: Labels of COVID-19-CT-Seg where one file has all structures: left lung, right lung, and infection within the lungs,
#: whose side is not stated.
LUNGS_AND_INFECTION: Labels = {**LEFT_AND_RIGHT, 3: LUNGS + INFECTION}
#: HU of the grey values 0 and 255 in the eight-bit half of COVID-19-CT-Seg.
GREY_WINDOW = (-1250.0, 250.0)


@dataclass(frozen=True)
class SliceLabels:
    """What is known about the slices of a whole scan without masks of infection.

    Attributes:
        content: The diagnosis, or what the scan shows.
        infected: Slices with infection, counted from 0 at the head; none if the scan shows no infection.
        source: The file that states it.
    """

    content: str
    infected: tuple[int, ...]
    source: Path


@dataclass(frozen=True)
class Entry:
    """One scan of a data set.

    Attributes:
        name: Name of the scan.
        patient: Name of the patient. Splits are made by patient.
        files: Paths of "ct", a file or a folder of DICOM files, and of masks, each by a name of its own. Files may be
            missing: reading the entry reports it.
        labels: What the labels of each mask mean; 0 is always background.
        slices: Number of slices, if a list of the data set states it.
        eight_bit: The HU in the file were restored from eight-bit images.
        grey_window: HU of the grey values 0 and 255 if the CT may be an eight-bit image; None if that is an error.
        slice_labels: Makes the entry a whole scan without masks of infection: see `clean_slices`.
        layout: Name of the layout of its data set; set by `open_data`.
    """

    name: str
    patient: str
    files: Mapping[str, Path]
    labels: Mapping[str, Labels] = field(default_factory=dict)
    slices: int | None = None
    eight_bit: bool = False
    grey_window: tuple[float, float] | None = None
    slice_labels: SliceLabels | None = None
    layout: str = ""

    @property
    def structures(self) -> frozenset[str]:
        """The structures in the masks, see `case.STRUCTURES`."""
        return frozenset(name for labels in self.labels.values() for names in labels.values() for name in names)


@dataclass(frozen=True)
class Layout:
    """A way in which people arrange scans with masks in a folder.

    Attributes:
        name: Name for display.
        description: The files by which the layout is recognised, in a few words.
        find: Returns the entries of a folder without reading images, or None if the folder has another layout.
    """

    name: str
    description: str
    find: Callable[[Path], list[Entry] | None]
