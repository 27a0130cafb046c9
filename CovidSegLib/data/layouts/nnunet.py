"""nnU-Net's raw data: dataset.json with labels, `imagesTr/NAME_0000.nii.gz` and `labelsTr/NAME.nii.gz`.

Labels are told by their names, in English; others are read past. As they exclude each other, infection and tumour count
as lung too where the lungs are outlined. Patients are `patient_of` the names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import InputError
from ..entry import Entry, Layout
from ..files import partners, read_json, unreadable
from ..patients import patient_of

DESCRIPTION, WHAT = "dataset.json", "describes the data set and its labels"
#: Words in a label's name: what it is. The first that fits is taken, so that a lung tumour is a tumour.
WORDS = {
    "tumour": "tumour",
    "tumor": "tumour",
    "cancer": "tumour",
    "infect": "infection",
    "covid": "infection",
    "lesion": "infection",
    "lung": "lungs",
}


def find(folder: Path) -> list[Entry] | None:
    """The CTs with masks."""
    where = {"ct": (folder / "imagesTr", "_0000"), "labels": (folder / "labelsTr", "")}
    if not ((folder / DESCRIPTION).is_file() and all(place.is_dir() for place, _ in where.values())):
        return None
    labels = _labels(folder / DESCRIPTION)
    return [Entry(name, patient_of(name), files, {"labels": labels}) for name, files in partners(where).items()]


def _labels(path: Path) -> dict[int, tuple[str, ...]]:
    """What numbers mean: {"lung": 1}, or {"lung": [1, 2]}, of nnU-Net's second version; {"1": "lung"} of its first."""
    structures: dict[int, set[str]] = {}
    try:
        given: dict[str, Any] = read_json(path, WHAT)["labels"]
        for key, value in given.items():
            name, numbers = (str(value), [key]) if key.isdigit() else (key, value)
            name = name.lower()
            if name == "ignore":
                raise InputError(f'"{path}" has a label “ignore”, which cannot be learnt from: export without it.')
            found = next((structure for word, structure in WORDS.items() if word in name), None)
            for number in numbers if isinstance(numbers, list) else [numbers]:
                structures.setdefault(int(number), set()).update({found} if found else ())
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise unreadable(path, WHAT) from error
    structures.pop(0, None)
    everything = set().union(*structures.values())
    if not everything:
        names = ", ".join(map(str, given))
        raise InputError(
            f'"{path}" has labels ({names}) of which none is called lung, infection or tumour: rename them.'
        )
    within = {"lungs"} & everything
    return {number: tuple(sorted(found | within if found else found)) for number, found in sorted(structures.items())}


LAYOUT = Layout("nnunet", "dataset.json; imagesTr/NAME_0000, labelsTr/NAME", find)
