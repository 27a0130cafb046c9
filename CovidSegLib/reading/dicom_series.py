"""List the DICOM series in a folder, and choose the chest CT."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from pydicom.uid import UID_dictionary

from ..errors import InputError
from .dicom_file import read_header
from .dicom_header import CT_SOP_CLASSES, SeriesHeader, SliceHeader

#: A chest CT has at least this many slices over this length. Bolus tracking and planning slices have fewer.
CHEST_SLICES, CHEST_MM = 10, 100.0
#: A shorter end of a UID is not accepted: a mistyped series number could select another series.
SHORTEST_UID_END = 8
_REFORMATTED = {"MPR", "PROJECTION IMAGE", "MIP", "MINIP"}
#: Rescale types of Hounsfield units, as scanners spell them. US (unspecified) and no type at all are common too.
_HOUNSFIELD = re.compile(r"(HU|US|HOUND?SFIELD([ _-]?UNITS?)?)?$")
_MODALITIES = {
    "MR": "MR images",
    "PT": "PET images",
    "NM": "nuclear medicine images",
    "CR": "plain X-ray images",
    "DX": "plain X-ray images",
    "RF": "fluoroscopy images",
    "XA": "angiography images",
    "MG": "mammograms",
    "US": "ultrasound images",
    "SEG": "a segmentation",
    "RTSTRUCT": "contours of structures",
    "SR": "a report",
    "PR": "a presentation state",
    "KO": "a selection of key images",
    "OT": "pictures",
}


@dataclass(frozen=True)
class Series:
    """Files in a folder that share a series UID and contain the same kind of image.

    Attributes:
        header: Attributes of the series.
        slices: Its slices in no particular order; empty if it contains no images.
    """

    header: SeriesHeader
    slices: tuple[SliceHeader, ...]

    @property
    def unusable_content(self) -> str | None:
        """What the series contains instead of a CT, as a noun phrase; None if it contains CT slices."""
        header = self.header
        if not header.modality:
            return "data without a stated modality, which may not be a CT"
        if header.modality != "CT":
            return _MODALITIES.get(header.modality, f"data of another kind ({header.modality})") + " and no CT"
        if "LOCALIZER" in header.image_type:
            return "only the localizer (scout view) of a CT"
        if not header.is_ct or header.colour:
            return "screenshots (secondary capture) of a CT, which have lost their Hounsfield units"
        if not _HOUNSFIELD.match(header.rescale_type):
            return f"CT values that are not Hounsfield units but {header.rescale_type}"
        return None

    @property
    def is_something_else(self) -> bool:
        """Whether the header clearly states that these are not slices of a CT: a scout view, or another class."""
        header = self.header
        known = (
            UID_dictionary.get(header.sop_class, ("", ""))[1] == "SOP Class" and header.sop_class not in CT_SOP_CLASSES
        )
        return known or "LOCALIZER" in header.image_type or header.modality not in ("", "CT")

    @property
    def is_likely_chest_ct(self) -> bool:
        """Whether the series has enough axial CT slices, over a sufficient length, to be the chest CT of a folder."""
        return looks_like_chest_ct(self, len(self.slices), self.extent)

    @property
    def extent(self) -> Extent | None:
        """Where the slices lie; None if there are none, or their headers do not say."""
        if not self.slices:
            return None
        orientation, positions = self.slices[0].orientation, [item.position for item in self.slices]
        if orientation is None or None in positions:
            return None
        normal = np.cross(orientation[:3], orientation[3:])
        along = np.array(positions) @ normal
        return Extent(bool(abs(normal[2]) > np.sqrt(0.5)), float(along.min()), float(along.max()))


@dataclass(frozen=True)
class Extent:
    """Where the slices of a series lie.

    Attributes:
        axial: Whether they are axial.
        low, high: Positions in mm of the first and the last slice along the normal of the slices.
    """

    axial: bool
    low: float
    high: float


def looks_like_chest_ct(series: Series, slices: int, extent: Extent | None) -> bool:
    """Return whether a series has enough axial CT slices, over a sufficient length, to be the chest CT of a study.

    Args:
        series: The series, of which only the header counts.
        slices: Number of its slices.
        extent: Where they lie. If unknown, reading the series explains what is missing.
    """
    if series.unusable_content or slices < CHEST_SLICES or not _REFORMATTED.isdisjoint(series.header.image_type):
        return False
    return extent is None or (extent.axial and extent.high - extent.low >= CHEST_MM)


def list_series(folder: Path, *, nested: bool = True) -> list[Series]:
    """List the DICOM series in a folder. Other files are skipped.

    Args:
        folder: The folder to search. Hidden files are skipped.
        nested: Whether to search subfolders.

    Returns:
        The series, ordered by series number.

    Raises:
        InputError: A DICOM file is damaged or cannot be opened. It is not skipped, because a slice that is missing at
            either end of a scan would go unnoticed.
        OSError: A folder cannot be opened.
    """
    return list_series_of_files(_files(folder, nested))


def list_series_of_files(files: Iterable[Path]) -> list[Series]:
    """List the DICOM series that files belong to. Files that are not DICOM are skipped.

    Args:
        files: The files, in any order.

    Returns:
        The series, ordered by series number.

    Raises:
        InputError: A DICOM file is damaged or cannot be opened.
    """
    headers = [header for path in files if (header := _header(path))]
    headers.sort(key=lambda header: _group_key(header[0]))
    series = [
        Series(_representative([header for header, _ in group]), tuple(item for _, slices in group for item in slices))
        for _, members in groupby(headers, key=lambda header: _group_key(header[0]))
        if (group := list(members))
    ]
    return sorted(
        series, key=lambda item: (item.header.number is None, item.header.number or 0, item.header.series_uid)
    )


def _representative(headers: Sequence[SeriesHeader]) -> SeriesHeader:
    """The header that stands for a series: one that is not a CT's if there is any, else a lossy one if there is any."""
    return max(headers, key=lambda header: (Series(header, ()).unusable_content is not None, header.lossy))


def _files(folder: Path, nested: bool) -> Iterator[Path]:
    def fail(error: OSError) -> None:  # os.walk skips folders that it cannot open; their slices would be missing
        raise error

    for root, folders, names in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if nested and not name.startswith("."))
        for name in sorted(names):
            path = Path(root, name)
            if not name.startswith(".") and path.is_file():
                yield path


def _header(path: Path) -> tuple[SeriesHeader, tuple[SliceHeader, ...]] | None:
    """The header of a file. An index of DICOM media (DICOMDIR) has none; a slice under that name has."""
    try:
        return read_header(path)
    except InputError:
        if path.name.upper() == "DICOMDIR":
            return None
        raise


def _group_key(header: SeriesHeader) -> tuple[str, str, bool]:
    """Separate a scan from scout views and screenshots, which some scanners and viewers put into the same series."""
    return header.series_uid, header.sop_class, "LOCALIZER" in header.image_type


def choose_series(series: Sequence[Series], identifier: str | None = None) -> Series:
    """Choose the chest CT, or the series with the given number or UID.

    Args:
        series: All series of a folder, at least one.
        identifier: A series number, or a series UID, or at least its last `SHORTEST_UID_END` characters. If None, the
            chest CT is chosen.

    Raises:
        InputError: No series fits, or several do. The message lists them, so that the user can choose.
    """
    chosen = _choose(series, identifier)
    _check_nothing_is_left_out(chosen, series)
    return chosen


def _check_nothing_is_left_out(chosen: Series, series: Sequence[Series]) -> None:
    """Check that files of the same series that are not read are known to be something else, and not slices of the CT.

    Raises:
        InputError: They do not state what they are.
    """
    for other in series:
        same = other is not chosen and other.header.series_uid == chosen.header.series_uid
        if same and other.slices and not chosen.unusable_content and not other.is_something_else:
            raise InputError(
                f"{len(other.slices)} images of the series do not state that they are CT slices, as the others do, or "
                "state it in a damaged way. Export the series again."
            )


def _choose(series: Sequence[Series], identifier: str | None) -> Series:
    if identifier is not None:
        return _find_series(series, identifier.strip().lstrip("…"))
    if len(series) == 1:
        return series[0]
    likely = [item for item in series if item.is_likely_chest_ct]
    candidates = likely or [item for item in series if not item.unusable_content]
    if not candidates:
        raise InputError(f"None of the series in the folder is a chest CT. Choose another folder.\n{_listing(series)}")
    if len(candidates) > 1:
        raise InputError(
            "The folder contains several CT series. Choose one with --series and its number or the end of its UID:\n"
            f"{_listing(candidates)}"
        )
    return candidates[0]


def _find_series(series: Sequence[Series], identifier: str) -> Series:
    """Return the only CT series with this number, or with a UID that ends in the identifier."""
    matches = [item for item in series if str(item.header.number) == identifier]
    if not matches and len(identifier) >= SHORTEST_UID_END:
        matches = [item for item in series if item.header.series_uid.endswith(identifier)]
    if not matches:
        raise InputError(f'There is no series "{identifier}". Choose one of these with --series:\n{_listing(series)}')
    matches = [item for item in matches if not item.unusable_content] or matches
    if len(matches) > 1:
        raise InputError(
            f'Several series match "{identifier}". Choose one of these with --series and the end of its UID:\n'
            f"{_listing(matches)}"
        )
    return matches[0]


def _listing(series: Sequence[Series]) -> str:
    """List series, one per line, each with enough of its UID to tell it from the others."""
    uids = {item.header.series_uid for item in series}
    length = SHORTEST_UID_END
    while len({uid[-length:] for uid in uids}) < len(uids):
        length += 1
    lines = []
    for item in series:
        header = item.header
        thickness = f" of {header.thickness:g} mm" if header.thickness is not None else ""
        parts = [
            f"number {header.number if header.number is not None else '-'}",
            f'"{header.description}"' if header.description else "no description",
            f"{len(item.slices)} slices" + thickness,
            *([f"kernel {header.kernel}"] if header.kernel else []),
            *([item.unusable_content] if item.unusable_content else []),
            f"UID …{''.join(filter(str.isprintable, header.series_uid[-length:]))}",
        ]
        lines.append("  " + ", ".join(parts))
    return "\n".join(lines)
