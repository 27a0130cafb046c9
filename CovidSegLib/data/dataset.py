"""What a folder of data holds, whatever its layout: told without reading images, and read a patient at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from .case import Case
from .entry import Entry
from .entry_reader import read_entry
from .layouts import LAYOUTS, covid_ct_md


@dataclass(frozen=True)
class DataSet:
    """Scans that lie in one folder, or in known layouts below it.

    Attributes:
        folder: Where.
        layout: Name of its layout, or several names with " + " between them.
        entries: The scans, those without masks among them.
    """

    folder: Path
    layout: str
    entries: tuple[Entry, ...]

    @property
    def masked(self) -> tuple[Entry, ...]:
        """The entries that have masks."""
        return tuple(entry for entry in self.entries if entry.labels)

    @property
    def patients(self) -> list[str]:
        """Of the entries that have masks, in order."""
        return sorted({entry.patient for entry in self.masked})

    @property
    def whole_scans(self) -> tuple[str, ...]:
        """Names of the scans without masks."""
        return tuple(entry.name for entry in self.entries if "dicom" in entry.files)

    def cases(self, patients: Collection[str] | None = None) -> list[Case]:
        """Read the entries that have masks.

        Args:
            patients: Only these are read; all if None.

        Raises:
            InputError: A patient is not there, or a file cannot be used.
        """
        if unknown := sorted(set(patients or ()) - {*self.patients}):
            raise InputError(
                f'In "{self.folder}" there is no patient “{unknown[0]}”; there are: {", ".join(self.patients)}.'
            )
        return [read_entry(entry) for entry in self.masked if patients is None or entry.patient in patients]

    def scan_folder(self, name: str) -> Path:
        """The folder of a scan without masks.

        Raises:
            InputError: There is none of that name.
        """
        for entry in self.entries:
            if entry.name == name and "dicom" in entry.files:
                return entry.files["dicom"]
        there = ", ".join(self.whole_scans) or "none"
        raise InputError(f'In "{self.folder}" there is no whole scan “{name}”; there are: {there}.')

    def clean_slices(self, name: str) -> Case:
        """A scan without masks, of which the slices without infection are known.

        Raises:
            InputError: There is none of that name, or it cannot be read.
        """
        return covid_ct_md.clean_slices(self.scan_folder(name))


def open_data(folder: Path) -> DataSet:
    """The data set in a folder, or all those in the folders that it holds.

    Raises:
        InputError: No such folder, no layout that is known, a list in it is damaged, or two scans have one name.
    """
    if not folder.is_dir():
        raise InputError(f'There is no folder "{folder}".')
    found = _found(folder)
    if not found:
        for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
            found += _found(inner)
    if not found:
        known = "; ".join(f"{layout.name} ({layout.looks_like})" for layout in LAYOUTS)
        raise InputError(f'"{folder}" has none of the layouts that can be read, nor has a folder in it: {known}.')
    entries = tuple(entry for _, of in found for entry in of)
    name, count = Counter(entry.name for entry in entries).most_common(1)[0] if entries else ("", 0)
    if count > 1:
        raise InputError(
            f'"{folder}" holds {count} scans called “{name}”: keep one, or name the folder of one data set.'
        )
    return DataSet(folder, " + ".join(dict.fromkeys(layout for layout, _ in found)), entries)


def _found(folder: Path) -> list[tuple[str, list[Entry]]]:
    """Name and entries of the first layout that fits, or nothing."""
    for layout in LAYOUTS:
        if (entries := layout.find(folder)) is not None:
            return [(layout.name, entries)]
    return []
