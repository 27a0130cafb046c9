"""What a folder of data holds to measure on, and which of it is measured."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..data.case import Case, covid19_ct_seg
from ..errors import InputError
from ..models import Model

MASKS, SCANS = "covid19_ct_seg_hu", "covid_ct_md"


@dataclass(frozen=True)
class Chosen:
    """What is measured.

    Attributes:
        data: The folder of `MASKS` and `SCANS`.
        patients: With masks, of COVID-19-CT-Seg.
        scans: Whole scans, of COVID-CT-MD.
    """

    data: Path
    patients: tuple[str, ...]
    scans: tuple[str, ...]

    def cases(self) -> list[Case]:
        """The runs of slices of the patients; single slices are no volumes, and are left out."""
        if not self.patients:
            return []
        cases = covid19_ct_seg(self.data / MASKS)
        return [case for case in cases if case.patient in self.patients and len(case.axial) > 1]


def choose(data: Path, models: Sequence[Model], names: Collection[str] | None) -> Chosen:
    """What to measure, before anything large is read.

    Args:
        data: The folder of `MASKS` and `SCANS`, or of one of them.
        models: Those that are measured.
        names: Patients and scans; if None, all scans, and the patients that none of the models was trained on.

    Raises:
        InputError: The folder or its lists are not there, a name is in none of them, or nothing is left to measure.
    """
    if not data.is_dir():
        raise InputError(f'There is no folder "{data}".')
    there = [name for name in (MASKS, SCANS) if (data / name).is_dir()]
    if not there:
        raise InputError(f'"{data}" holds neither a folder "{MASKS}" nor a folder "{SCANS}".')
    patients = _patients(data / MASKS / "index.json") if MASKS in there else []
    scans = _scans(data / SCANS / "labels.json") if SCANS in there else []
    if names is None:
        seen = {name for model in models for name in model.card.get("trained_on", ())}
        chosen = Chosen(data, tuple(name for name in patients if name not in seen), tuple(scans))
    else:
        if unknown := sorted(set(names) - {*patients, *scans}):
            raise InputError(
                f'In "{data}" there is no patient “{unknown[0]}” with two slices or more; there are: '
                f"{', '.join([*patients, *scans])}."
            )
        chosen = Chosen(data, *(tuple(name for name in all_ if name in names) for all_ in (patients, scans)))
    if not (chosen.patients or chosen.scans):
        raise InputError("The models were trained on all patients that are there; name patients with --patients.")
    return chosen


def _patients(index: Path) -> list[str]:
    """Of COVID-19-CT-Seg, the patients with runs of two slices or more."""
    try:
        entries = json.loads(index.read_text(encoding="utf-8"))
        return sorted({str(entry["patient"]) for entry in entries if entry["slices"] > 1})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f'"{index}", which lists the runs of slices, is missing or cannot be read.') from error


def _scans(labels: Path) -> list[str]:
    """Of COVID-CT-MD, the scans."""
    try:
        return list(json.loads(labels.read_text(encoding="utf-8"))["cases"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f'"{labels}", which lists the infected slices, is missing or cannot be read.') from error
