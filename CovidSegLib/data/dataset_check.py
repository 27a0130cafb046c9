"""Checks of a whole data set: every problem of every file, and the number of slices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..preprocessing import AxialView
from ..progress import Progress, silent
from ..reading import read_volume
from ..volume import Volume
from .dataset import DataSet
from .entry import Entry, Labels, SliceLabels
from .entry_reader import check_grid, check_labels, read_image, to_hounsfield


@dataclass
class Findings:
    """What the check of one scan found.

    Attributes:
        errors: Sentences on what must be corrected before the scan can be used.
        warnings: Sentences on what is unusual.
        slices: Number of axial slices; 0 if there are errors.
        infected_slices: Number of slices with infection, from the masks or the list of the data set; 0 if there are
            errors.
    """

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    slices: int = 0
    infected_slices: int = 0


def check_data(data: DataSet, progress: Progress = silent) -> dict[str, Findings]:
    """Read and check every file of a data set.

    Args:
        data: The data set.
        progress: Receives the name of the scan and the completed fraction.

    Returns:
        Findings by scan.

    Raises:
        Cancelled: From `progress`.
    """
    all_findings = {}
    for number, entry in enumerate(data.entries):
        progress(f"Checking {entry.name}", number / len(data.entries))
        findings = all_findings[entry.name] = Findings()
        if entry.slice_labels is not None:
            _check_whole_scan(entry, entry.slice_labels, findings)
        else:
            _check_masked(entry, findings)
        if findings.errors:
            findings.slices = findings.infected_slices = 0
    return all_findings


@contextmanager
def _collect_errors(findings: Findings) -> Iterator[None]:
    """Note an `InputError` and continue."""
    try:
        yield
    except InputError as error:
        findings.errors.append(str(error))


def _check_masked(entry: Entry, findings: Findings) -> None:
    ct: Volume | None = None
    with _collect_errors(findings):
        ct = read_image(entry.files["ct"])
        to_hounsfield(entry, ct.array)
        findings.slices = AxialView.of(ct.grid).apply(ct.array).shape[0]
    infection: np.ndarray | None = None
    for role, labels in entry.labels.items():
        infected = _check_mask(entry.files[role], labels, ct, findings)
        if infected is not None:
            infection = infected if infection is None else infection | infected
    if infection is not None and ct is not None:
        findings.infected_slices = int(AxialView.of(ct.grid).apply(infection).any(axis=(1, 2)).sum())


def _check_mask(file: Path, labels: Labels, ct: Volume | None, findings: Findings) -> np.ndarray | None:
    """Check one mask; return its infection if the mask has no error, contains any and the CT could be read."""
    mask: Volume | None = None
    before = len(findings.errors)
    with _collect_errors(findings):
        mask = read_image(file)
    if mask is None:
        return None
    if ct is not None:
        with _collect_errors(findings):
            check_grid(mask.grid, ct.grid, file)
    with _collect_errors(findings):
        check_labels(mask.array, labels, file)
    infection_labels = [value for value, structures in labels.items() if "infection" in structures]
    if not infection_labels or len(findings.errors) > before:
        return None
    infected = np.isin(np.rint(mask.array), infection_labels)
    if not infected.any():
        findings.warnings.append(f'"{file}" is empty. This is right only if the scan shows no infection.')
        return None
    return None if ct is None else infected


def _check_whole_scan(entry: Entry, slice_labels: SliceLabels, findings: Findings) -> None:
    scan, infected = entry.files["ct"], slice_labels.infected
    try:
        volume = read_volume(scan)
    except InputError as error:
        findings.errors.append(f'"{scan}": {error}')
        return
    for role, labels in entry.labels.items():
        _check_mask(entry.files[role], labels, volume, findings)
    findings.slices = AxialView.of(volume.grid).apply(volume.array).shape[0]
    findings.infected_slices = len(infected)
    if not all(0 <= number < findings.slices for number in infected):
        findings.errors.append(
            f'"{slice_labels.source}" lists infected slices up to {max(infected)} of "{entry.name}", '
            f"which has {findings.slices} slices, counted from 0. Copy the scan again, or correct the list."
        )
