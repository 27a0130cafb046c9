"""Data sets: what a folder contains, known without reading images, and read patient by patient."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import InputError
from ..printable import printable
from .case import Case
from .clean_slices import clean_slices
from .entry import Entry
from .entry_reader import read_entry
from .layouts import LAYOUTS

#: End of the name of a slice range in the layout `covid19_ct_seg_hu`.
_RANGE = re.compile(r"_run\d+$")


@dataclass(frozen=True)
class DataSet:
    """The scans in one folder, or in the folders directly below it.

    Attributes:
        folder: The folder.
        layout: Name of its layout, or several names joined by " + ".
        entries: All scans.
    """

    folder: Path
    layout: str
    entries: tuple[Entry, ...]

    @property
    def masked(self) -> tuple[Entry, ...]:
        """The entries with masks, without whole scans of which only slices are labelled."""
        return tuple(entry for entry in self.entries if entry.labels and entry.slice_labels is None)

    @property
    def patients(self) -> list[str]:
        """Sorted patients of the entries with masks."""
        return sorted({entry.patient for entry in self.masked})

    @property
    def scans_by_patient(self) -> dict[str, int]:
        """Number of scans with masks, by patient. Slice ranges of one scan, NAME_run0 and so on, are one scan."""
        scans = {(entry.patient, _RANGE.sub("", entry.name)) for entry in self.masked}
        return dict(Counter(patient for patient, _ in sorted(scans)))

    @property
    def whole_scans(self) -> tuple[str, ...]:
        """Names of the whole scans of which only slices are labelled."""
        return tuple(entry.name for entry in self.entries if entry.slice_labels is not None)

    def layouts(self, whole_scans: Collection[str] = ()) -> list[str]:
        """Return the layouts of the entries with masks and of some whole scans, each once, in the order of the data."""
        named = {*whole_scans}
        used = [entry.layout for entry in self.entries if entry.slice_labels is None or entry.name in named]
        return list(dict.fromkeys(used))

    def cases(self, patients: Collection[str] | None = None) -> list[Case]:
        """Read the entries with masks.

        Args:
            patients: Read only these patients; all if None.

        Raises:
            InputError: The data set does not have a patient, or a file cannot be used.
        """
        if unknown := sorted(set(patients or ()) - {*self.patients}):
            raise InputError(
                f'There is no patient "{unknown[0]}" in "{self.folder}". Patients: {", ".join(self.patients)}.'
            )
        return [read_entry(entry) for entry in self.masked if patients is None or entry.patient in patients]

    def whole_scan(self, name: str) -> Entry:
        """Return a whole scan of which only slices are labelled.

        Raises:
            InputError: There is no such scan.
        """
        for entry in self.entries:
            if entry.name == name and entry.slice_labels is not None:
                return entry
        names = ", ".join(self.whole_scans) or "none"
        raise InputError(f'There is no whole scan "{name}" in "{self.folder}". Whole scans: {names}.')

    def clean_slices(self, name: str) -> Case:
        """Read a whole scan as a case whose slices without infection are known; see `data.clean_slices`.

        Raises:
            InputError: There is no such scan, or it cannot be read.
        """
        return clean_slices(self.whole_scan(name))


def open_data(folder: Path) -> DataSet:
    """Open the data set in a folder, or all data sets in the folders directly below it.

    Raises:
        InputError: There is no such folder, it has no known layout, a list in it is damaged, or two scans have the same
            name.
    """
    if not folder.is_dir():
        raise InputError(f'There is no folder "{folder}".')
    parts = _find_entries(folder)
    if not parts:
        for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
            parts += _find_entries(inner)
    if not parts:
        known = "; ".join(f"{layout.name} ({layout.description})" for layout in LAYOUTS)
        raise InputError(
            f'Neither "{folder}" nor a folder in it has a known layout. Arrange the files in one of these: {known}.'
        )
    entries = tuple(entry for _, of in parts for entry in of)
    name, count = Counter(entry.name for entry in entries).most_common(1)[0] if entries else ("", 0)
    if count > 1:
        raise InputError(
            f'"{folder}" contains {count} scans called "{name}". Keep one, or give the folder of one data set.'
        )
    return DataSet(folder, " + ".join(dict.fromkeys(layout for layout, _ in parts)), entries)


def _find_entries(folder: Path) -> list[tuple[str, list[Entry]]]:
    """Return the name and the entries of the first layout that fits, or an empty list."""
    for layout in LAYOUTS:
        if (entries := layout.find(folder)) is not None:
            return [(layout.name, [_completed(entry, layout.name) for entry in entries])]
    return []


def _completed(entry: Entry, layout: str) -> Entry:
    """Add the layout, and make the names, which come from files, fit for tables and files."""
    return replace(entry, name=printable(entry.name), patient=printable(entry.patient), layout=layout)
