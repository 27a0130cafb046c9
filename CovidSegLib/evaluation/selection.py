"""What a folder of data holds to measure on, and which of it is measured."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..data.case import Case
from ..data.dataset import DataSet, open_data
from ..data.patients import was_seen
from ..errors import InputError
from ..models import Model


@dataclass(frozen=True)
class SelectedData:
    """What is measured.

    Attributes:
        data: Where it is.
        patients: With masks of infection.
        scans: Whole scans, without masks.
    """

    data: DataSet
    patients: tuple[str, ...]
    scans: tuple[str, ...]

    def cases(self) -> list[Case]:
        """The runs of slices of the patients, and of no others; single slices are no volumes, and are left out."""
        if not self.patients:
            return []
        cases = self.data.cases(self.patients)
        return [case for case in cases if len(case.scan) > 1 and "infection" in case.masks]

    def scan_folders(self) -> dict[Path, list[str]]:
        """The whole scans by the folder that holds them and their labels."""
        folders: dict[Path, list[str]] = {}
        for name in self.scans:
            folders.setdefault(self.data.scan_folder(name).parent, []).append(name)
        return folders


def select_data(folder: Path, models: Sequence[Model], names: Collection[str] | None) -> SelectedData:
    """What to measure, before anything large is read.

    Args:
        folder: Of data, in any layout.
        models: Those that are measured.
        names: Patients and scans; if None, all scans, and the patients that none of the models has seen.

    Raises:
        InputError: The folder or its lists are not there, a name is in none of them, or nothing is left to measure.
    """
    data = open_data(folder)
    entries = [entry for entry in data.masked if entry.slices != 1 and "infection" in entry.structures]
    patients = sorted({entry.patient for entry in entries})
    scans = data.whole_scans
    if not (patients or scans):
        raise InputError(f'"{folder}" has no masks of infection to measure on: give another data set.')
    if names is None:
        seen = {name for model in models for name in model.seen}
        chosen = SelectedData(data, tuple(name for name in patients if not was_seen(name, seen)), scans)
    else:
        if unknown := sorted(set(names) - {*patients, *scans}):
            raise InputError(
                f'In "{folder}" there is no patient “{unknown[0]}” with two slices or more; there are: '
                f"{', '.join([*patients, *scans])}."
            )
        chosen = SelectedData(data, *(tuple(name for name in all_ if name in names) for all_ in (patients, scans)))
    if not (chosen.patients or chosen.scans):
        raise InputError("The models were trained on all patients that are there; name patients with --patients.")
    return chosen
