"""nnU-Net's raw data: dataset.json with labels, `imagesTr/NAME_0000.nii.gz` and `labelsTr/NAME.nii.gz`.

Labels are recognised by their English names; other labels are ignored. As labels exclude each other, infection and
tumour also count as lung if the lungs are annotated. `patient_of` gives the patients.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import InputError
from ..entry import Entry, Layout
from ..files import match_files, read_json, unreadable
from ..patients import patient_of

DESCRIPTION, PURPOSE = "dataset.json", "describes the data set and its labels"
#: Structures by words in a label's name. The first word that occurs decides, so that a lung tumour is a tumour.
STRUCTURE_WORDS = {
    "tumour": "tumour",
    "tumor": "tumour",
    "cancer": "tumour",
    "infect": "infection",
    "covid": "infection",
    "lesion": "infection",
    "lung": "lungs",
}


def find(folder: Path) -> list[Entry] | None:
    """Return the CTs with masks."""
    locations = {"ct": (folder / "imagesTr", "_0000"), "labels": (folder / "labelsTr", "")}
    if not ((folder / DESCRIPTION).is_file() and all(place.is_dir() for place, _ in locations.values())):
        return None
    labels = _labels(folder / DESCRIPTION)
    return [Entry(name, patient_of(name), files, {"labels": labels}) for name, files in match_files(locations).items()]


def _labels(path: Path) -> dict[int, tuple[str, ...]]:
    """Read the labels: {"lung": 1} or {"lung": [1, 2]} in nnU-Net's second version, {"1": "lung"} in its first."""
    structures: dict[int, set[str]] = {}
    try:
        given: dict[str, Any] = read_json(path, PURPOSE)["labels"]
        for key, value in given.items():
            name, numbers = (str(value), [key]) if key.isdigit() else (key, value)
            name = name.lower()
            if name == "ignore":
                raise InputError(
                    f'"{path}" has a label "ignore", which is not supported. Export the data set without it.'
                )
            structure = next((each for word, each in STRUCTURE_WORDS.items() if word in name), None)
            numbers = numbers if isinstance(numbers, list) else [numbers]
            sides = [f"{side}_lung" for side in ("right", "left") if structure == "lungs" and side in name]
            for number in numbers:
                structures.setdefault(int(number), set()).update([structure] if structure else [], sides)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise unreadable(path, PURPOSE) from error
    structures.pop(0, None)
    everything = set().union(*structures.values())
    if not {"right_lung", "left_lung"} <= everything:  # one side alone does not tell where the other is
        structures = {number: found - {"right_lung", "left_lung"} for number, found in structures.items()}
    if not everything:
        names = ", ".join(map(str, given))
        raise InputError(f'"{path}" has no label named lung, infection or tumour, only {names}. Rename the labels.')
    within = {"lungs"} & everything
    return {number: tuple(sorted(found | within if found else found)) for number, found in sorted(structures.items())}


LAYOUT = Layout("nnunet", "dataset.json; imagesTr/NAME_0000, labelsTr/NAME", find)
