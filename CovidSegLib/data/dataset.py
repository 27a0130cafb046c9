"""A folder of data, opened."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from .case import Case, covid19_ct_seg


@dataclass(frozen=True)
class DataSet:
    """The patients of a folder, sorted, and their cases."""

    folder: Path
    patients: tuple[str, ...]

    def cases(self, patients: Collection[str] | None = None) -> list[Case]:
        """Of these patients, or of all."""
        return [case for case in covid19_ct_seg(self.folder) if patients is None or case.patient in patients]


def open_data(folder: Path) -> DataSet:
    """Open the layout of COVID-19-CT-Seg.

    Raises:
        InputError: The folder holds no such list.
    """
    try:
        entries = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        return DataSet(folder, tuple(sorted({str(entry["patient"]) for entry in entries})))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f'"{folder}" holds no index.json of its cases; give the folder of the data.') from error
