"""Whether the scans of a data set can be used: everything that is wrong with every file, and how much there is."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..errors import InputError
from ..preprocessing import AxialView
from ..progress import Progress, silent
from ..reading import read_volume
from ..volume import Volume
from .dataset import DataSet
from .entry import Entry
from .entry_reader import check_grid, check_labels, hounsfield_of, read_image
from .layouts import covid_ct_md


@dataclass
class Findings:
    """What was found in one scan, or in all of them together.

    Attributes:
        unusable: Sentences about what must be put right.
        warnings: Sentences about what is odd.
        slices: Axial slices of usable scans.
        infected_slices: Those of them that hold infection, by their masks or their list.
    """

    unusable: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    slices: int = 0
    infected_slices: int = 0


def check_data(data: DataSet, progress: Progress = silent) -> dict[str, Findings]:
    """Read everything, and go on after what cannot be used.

    Args:
        data: The data set.
        progress: Told the scan and the fraction that is done.

    Returns:
        What was found, by scan.

    Raises:
        Cancelled: From `progress`.
    """
    found = {}
    for number, entry in enumerate(data.entries):
        progress(f"Checking {entry.name}", number / len(data.entries))
        findings = found[entry.name] = Findings()
        if "dicom" in entry.files:
            _check_whole_scan(entry, findings)
        else:
            _check_masked(entry, findings)
        if findings.unusable:
            findings.slices = findings.infected_slices = 0
    return found


def _check_masked(entry: Entry, findings: Findings) -> None:
    ct: Volume | None = None
    try:
        ct = read_image(entry.files["ct"])
        hounsfield_of(entry, ct.array)
        findings.slices = AxialView.of(ct.grid).apply(ct.array).shape[0]
    except InputError as error:
        findings.unusable.append(str(error))
    infection: np.ndarray | None = None
    for role, labels in entry.labels.items():
        file = entry.files[role]
        try:
            mask = read_image(file)
        except InputError as error:
            findings.unusable.append(str(error))
            continue
        before = len(findings.unusable)
        try:
            if ct is not None:
                check_grid(mask.grid, ct.grid, file)
        except InputError as error:
            findings.unusable.append(str(error))
        try:
            check_labels(mask.array, labels, file)
        except InputError as error:
            findings.unusable.append(str(error))
        of = [value for value, structures in labels.items() if "infection" in structures]
        if of and len(findings.unusable) == before:
            here = np.isin(np.rint(mask.array), of)
            if not here.any():
                findings.warnings.append(f'"{file}" is empty: right only if nothing of this scan is infected.')
            elif ct is not None:
                infection = here if infection is None else infection | here
    if infection is not None and ct is not None:
        findings.infected_slices = int(AxialView.of(ct.grid).apply(infection).any(axis=(1, 2)).sum())


def _check_whole_scan(entry: Entry, findings: Findings) -> None:
    scan = entry.files["dicom"]
    try:
        volume = read_volume(scan)
        infected = covid_ct_md.infected_slices(scan)
    except InputError as error:
        findings.unusable.append(f'"{scan}": {error}')
        return
    findings.slices = AxialView.of(volume.grid).apply(volume.array).shape[0]
    findings.infected_slices = len(infected)
    if not all(0 <= number < findings.slices for number in infected):
        findings.unusable.append(
            f'"{scan.parent / covid_ct_md.LABELS}" lists infected slices up to {max(infected)} of “{entry.name}”, '
            f"which has {findings.slices} (from 0): copy the scan again, or correct the list."
        )
