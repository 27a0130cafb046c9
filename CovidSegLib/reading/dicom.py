"""DICOM: the series in a folder, the one that is the chest CT, and its Hounsfield units."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import check_geometry
from ..errors import InputError
from ..volume import Volume
from .dicom_geometry import stack
from .dicom_header import CT_SOP_CLASSES, Facts, Slice, read_header
from .dicom_pixels import read_pixels

#: What a chest CT has at least. Bolus tracking and single slices for planning have less.
CHEST_SLICES, CHEST_MM = 10, 100.0
_REFORMATTED = {"MPR", "PROJECTION IMAGE", "MIP", "MINIP"}
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
    """What belongs together in a folder: the files of one series UID that hold the same kind of image.

    Attributes:
        facts: What the headers say of the series.
        slices: Its slices in no particular order; none where it holds no images.
    """

    facts: Facts
    slices: tuple[Slice, ...]

    @property
    def problem(self) -> str | None:
        """Why this cannot be segmented, to be said after "holds"; None for CT slices."""
        facts = self.facts
        if facts.modality != "CT":
            return _MODALITIES.get(facts.modality, f"data of another kind ({facts.modality})") + " and no CT"
        if "LOCALIZER" in facts.image_type:
            return "only the localizer (scout view) of a CT"
        if facts.sop_class not in CT_SOP_CLASSES or facts.colour:
            return "screenshots (secondary capture) of a CT, which have lost their Hounsfield units"
        if facts.rescale_type not in ("", "HU", "US"):  # US: unspecified
            return f"CT values that are not Hounsfield units but {facts.rescale_type}"
        return None

    @property
    def plausible(self) -> bool:
        """Whether this is what somebody means by the chest CT in a folder: many axial CT slices over a length."""
        if self.problem or len(self.slices) < CHEST_SLICES:
            return False
        if not _REFORMATTED.isdisjoint(self.facts.image_type):
            return False
        orientation, positions = self.slices[0].orientation, [item.position for item in self.slices]
        if orientation is None or None in positions:
            return True  # to be explained on reading
        normal = np.cross(orientation[:3], orientation[3:])
        return bool(abs(normal[2]) > np.sqrt(0.5) and np.ptp(np.array(positions) @ normal) >= CHEST_MM)


def list_series(folder: Path, *, nested: bool = True) -> list[Series]:
    """Finds the DICOM series in a folder; anything else in it is passed over.

    Args:
        folder: Searched, hidden files apart.
        nested: Whether folders in it are searched too.

    Returns:
        The series by number.

    Raises:
        InputError: A DICOM file that is damaged or cannot be opened. One file too few would go unnoticed at either
            end of a scan, so it is not passed over.
        OSError: A folder that cannot be opened.
    """
    found = [header for path in _files(folder, nested) if (header := read_header(path))]
    found.sort(key=lambda header: _kind(header[0]))
    series = [
        Series(group[0][0], tuple(item for _, slices in group for item in slices))
        for _, members in groupby(found, key=lambda header: _kind(header[0]))
        if (group := list(members))
    ]
    return sorted(series, key=lambda item: (item.facts.number is None, item.facts.number or 0, item.facts.series_uid))


def _files(folder: Path, nested: bool) -> Iterator[Path]:
    def refuse(
        error: OSError,
    ) -> None:  # os.walk passes over folders that it may not open; their slices would be missing
        raise error

    for root, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if nested and not name.startswith("."))
        for name in sorted(names):
            path = Path(root, name)
            if not name.startswith(".") and name.upper() != "DICOMDIR" and path.is_file():
                yield path


def _kind(facts: Facts) -> tuple[str, str, bool]:
    """Scout views stand in the series of their scan with some scanners, and screenshots with some viewers."""
    return facts.series_uid, facts.sop_class, "LOCALIZER" in facts.image_type


def choose_series(series: Sequence[Series], wanted: str | None = None) -> Series:
    """Takes the chest CT, or the series that is asked for.

    Args:
        series: All series of a folder, one at least.
        wanted: A series number, or a series UID or the end of one.

    Raises:
        InputError: None can be it, or several can; they are listed, so that the user can choose.
    """
    if wanted is not None:
        wanted = wanted.strip().lstrip("…")
        matches = [item for item in series if str(item.facts.number) == wanted]
        matches = matches or [item for item in series if wanted and item.facts.series_uid.endswith(wanted)]
        if not matches:
            raise InputError(f'There is no series "{wanted}"; choose one of these with --series:\n{_listing(series)}')
        matches = [item for item in matches if not item.problem] or matches
        if len(matches) > 1:
            raise InputError(
                f'Several series go by "{wanted}"; choose one of these with --series and the end of its UID:\n'
                f"{_listing(matches)}"
            )
        return matches[0]
    if len(series) == 1:
        return series[0]
    plausible = [item for item in series if item.plausible]
    candidates = plausible or [item for item in series if not item.problem]
    if not candidates:
        raise InputError(f"None of the series in the folder is a CT of the chest:\n{_listing(series)}")
    if len(candidates) > 1:
        raise InputError(
            "The folder holds several CT series; choose one with --series and its number or the end of its UID:\n"
            f"{_listing(candidates)}"
        )
    return candidates[0]


def _listing(series: Sequence[Series]) -> str:
    uids = {item.facts.series_uid for item in series}
    length = 8
    while len({uid[-length:] for uid in uids}) < len(uids):
        length += 1
    lines = []
    for item in series:
        facts = item.facts
        parts = [
            f"number {facts.number if facts.number is not None else '-'}",
            f'"{facts.description}"' if facts.description else "no description",
            f"{len(item.slices)} slices" + (f" of {facts.thickness:g} mm" if facts.thickness is not None else ""),
            *([f"kernel {facts.kernel}"] if facts.kernel else []),
            *([item.problem] if item.problem else []),
            f"UID …{facts.series_uid[-length:]}",
        ]
        lines.append("  " + ", ".join(parts))
    return "\n".join(lines)


def read_series(series: Series) -> Volume:
    """Reads the Hounsfield units of a CT series.

    Returns:
        int16, or float32 where the rescale slope or intercept is not a whole number, (z, y, x) with z along the
        normal of the slices. The source tells the scanner and the reconstruction, and nothing of the patient; the
        series description is left out, since people type names into it.

    Raises:
        InputError: Not a CT; slices that form no regular grid (`dicom_geometry.stack`); pixels that cannot be read.
    """
    facts = series.facts
    if series.problem:
        raise InputError(f"The DICOM series holds {series.problem}: choose a CT of the chest.")
    grid, slices = stack(series.slices)
    check_geometry(grid)
    warnings = []
    if any(item.rescale is None for item in slices):
        warnings.append("The headers lack the rescaling to HU: the stored values were taken as HU, check them.")
    if facts.lossy:
        warnings.append("The CT was stored with lossy compression: its HU can be off.")
    source: dict[str, Any] = {
        "format": "DICOM",
        "series_uid": facts.series_uid,
        "modality": facts.modality,
        "kernel": facts.kernel,
        "slice_thickness_mm": facts.thickness,
        "manufacturer": facts.manufacturer,
        "model": facts.model,
    }
    return Volume(read_pixels(grid, slices, facts.transfer_syntax), grid, source, tuple(warnings))
