"""Splits as JSON files: an object with the lists "train", "validation" and "test" and the number "seed"."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..storage.atomic import json_text
from ..storage.limited import read_limited_json
from ..storage.staging import staged_files
from .split import PARTS, Split, check_distinct_patients

REMEDY = "Make it with `covidseg data split`, or correct it."


def read_split(path: Path, patients: Collection[str]) -> Split:
    """Read a split that `write_split` or a person wrote.

    Args:
        path: The JSON file.
        patients: The patients of the data set.

    Raises:
        InputError: The file cannot be read or lacks a key, a patient is named twice or is not in the data set, or no
            patient is left for training.
    """
    subject = f'In the split "{path}"'
    content = _read_object(path, subject)
    part_of: dict[str, str] = {}
    for part in PARTS:
        if not isinstance(content[part], list) or not all(isinstance(name, str) for name in content[part]):
            raise InputError(f'{subject} "{part}" is not a list of names. {REMEDY}')
        for name in content[part]:
            _check_name(name, part, part_of, patients, subject)
            part_of[name] = part
    if not content["train"]:
        raise InputError(f"{subject} there are no patients for training. {REMEDY}")
    train, validation, test = (tuple(sorted(content[part])) for part in PARTS)
    split = Split(train, validation, test, content["seed"])
    check_distinct_patients(split, subject)
    return split


def write_split(path: Path, split: Split, *, overwrite: bool = False) -> None:
    """Write a split as JSON.

    Raises:
        InputError: The file exists or cannot be written.
    """
    _write({path.name: split}, path.parent, [path.name], overwrite)


def write_folds(path: Path, folds: Sequence[Split], *, overwrite: bool = False) -> list[Path]:
    """Write all folds of a cross-validation or none: split-1.json, split-2.json and so on for split.json.

    With `overwrite`, files of that pattern from an earlier cross-validation with more folds are removed.

    Returns:
        The files.

    Raises:
        InputError: One of the files exists or cannot be written.
    """
    files = {f"{path.stem}-{number}{path.suffix}": fold for number, fold in enumerate(folds, 1)}
    earlier = [
        each.name
        for each in path.parent.glob(f"*{path.suffix}")
        if each.stem.startswith(f"{path.stem}-") and each.stem[len(path.stem) + 1 :].isdecimal()
    ]
    _write(files, path.parent, sorted({*files, *earlier}), overwrite)
    return [path.parent / name for name in files]


def _read_object(path: Path, subject: str) -> dict[str, Any]:
    """Read the JSON object, with all its keys."""
    try:
        content = read_limited_json(path)
    except OSError as error:
        raise InputError(f'The split "{path}" cannot be read ({error.strerror}). Check the path.') from error
    except ValueError as error:
        raise InputError(f'The split "{path}" is not valid JSON. Make it with `covidseg data split`.') from error
    if not isinstance(content, dict):
        raise InputError(f"{subject} there must be a JSON object with lists of patients. {REMEDY}")
    if missing := [key for key in (*PARTS, "seed") if key not in content]:
        raise InputError(f'{subject} "{missing[0]}" is missing. {REMEDY}')
    if not isinstance(content["seed"], int):
        raise InputError(f'{subject} "seed" is not a whole number. {REMEDY}')
    return content


def _check_name(name: str, part: str, part_of: dict[str, str], patients: Collection[str], subject: str) -> None:
    if part_of.get(name) == part:
        raise InputError(f'{subject} the patient "{name}" is twice in "{part}". Remove one.')
    if name in part_of:
        raise InputError(f'{subject} the patient "{name}" is in both "{part_of[name]}" and "{part}". Remove one.')
    if name not in patients:
        raise InputError(
            f'{subject} there is a patient "{name}" who is not in the data set. Remove the name, or give the data set '
            "for which the split was made."
        )


def _write(files: dict[str, Split], folder: Path, names: Collection[str], overwrite: bool) -> None:
    with staged_files(folder, names, overwrite=overwrite) as staged:
        for name, split in files.items():
            content = {"seed": split.seed, **{part: list(getattr(split, part)) for part in PARTS}}
            (staged / name).write_text(json_text(content), encoding="utf-8")
