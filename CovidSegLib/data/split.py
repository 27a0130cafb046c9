"""Who is learnt from, who chooses the best epoch, and who is measured: by patient, never by slice.

Slices of one patient resemble each other, so a split within a patient measures memory and not skill. Names of one
person, as `patients.patient_of` tells (two studies of one case of Radiopaedia), count as one patient.
"""

from __future__ import annotations

import json
import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..storage.staging import staged_files
from .patients import patient_of

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Names of patients, each in one list at most and each list sorted; who is in none is left out.

    Attributes:
        train: Learnt from.
        validation: Not learnt from; the epoch that does best on them is kept.
        test: Measured only when all is decided.
        seed: That the draw came from.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    seed: int


def source(patient: str) -> str:
    """Where a scan is from: the part of its name before the first underscore."""
    return patient.split("_", 1)[0]


def make_split(patients: Iterable[str], seed: int, validation: float = 0.2, test: float = 0.2) -> Split:
    """Draw one split, in which each source has its share of every list, to within one patient.

    Args:
        patients: Names, in any order.
        seed: The same names and seed give the same split.
        validation, test: Numbers of patients, or shares of all below 1; a share above 0 is one patient at least.

    Raises:
        InputError: Nobody would be left to train on, or a number is negative or not whole.
    """
    people, draw = _people(patients), random.Random(seed)
    validating, testing = _number(validation, len(people), "validation"), _number(test, len(people), "test")
    _check_left(len(people), validating, testing)
    tested = _drawn(sorted(people), testing, draw)
    rest = [person for person in sorted(people) if person not in tested]
    return _split(people, _drawn(rest, validating, draw), tested, seed)


def make_folds(patients: Iterable[str], folds: int, seed: int, validation: float = 1) -> list[Split]:
    """Cross-validation: each patient is tested in exactly one fold, and each source spread evenly over the folds.

    Args:
        patients: Names, in any order.
        folds: Two or more.
        seed: The same names and seed give the same folds.
        validation: Drawn from those who are not tested: a number, or a share of all patients.

    Raises:
        InputError: There are fewer patients than folds, or nobody would be left to train on in one of them.
    """
    people, draw = _people(patients), random.Random(seed)
    if not 2 <= folds <= len(people):
        raise InputError(f"{len(people)} patients cannot be put into {folds} folds; take 2 to {len(people)}.")
    validating = _number(validation, len(people), "validation")
    _check_left(len(people), validating, -(-len(people) // folds))
    dealt = _by_source(sorted(people), draw)  # dealt like cards: sizes differ by one at most, of each source too
    made = []
    for fold in range(folds):
        tested = set(dealt[fold::folds])
        rest = [person for person in sorted(people) if person not in tested]
        made.append(_split(people, _drawn(rest, validating, draw), tested, seed))
    return made


def read(path: Path, patients: Collection[str]) -> Split:
    """A split from a file that `write` wrote, or a person.

    Args:
        path: JSON: an object of "train", "validation" and "test", lists of names, and "seed", a whole number.
        patients: Those that the data has.

    Raises:
        InputError: The file is not there or no such JSON, it lacks a key, a patient is in two lists or in one twice, or
            the data does not have a patient, or none are left to train on.
    """
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f'The split "{path}" cannot be read ({error.strerror}); check the path.') from error
    except ValueError as error:
        raise InputError(f'The split "{path}" is no JSON; make it with `covidseg data split`.') from error
    start, remedy = f'In the split "{path}"', "make it with `covidseg data split`, or correct it"
    if not isinstance(held, dict):
        raise InputError(f"{start} there is no object of lists; {remedy}.")
    if lacking := [key for key in (*PARTS, "seed") if key not in held]:
        raise InputError(f"{start} “{lacking[0]}” is missing; {remedy}.")
    if not isinstance(held["seed"], int):
        raise InputError(f"{start} “seed” is no whole number; {remedy}.")
    seen: dict[str, str] = {}
    for part in PARTS:
        if not isinstance(held[part], list) or not all(isinstance(name, str) for name in held[part]):
            raise InputError(f"{start} “{part}” is no list of names; {remedy}.")
        for name in held[part]:
            if name in seen:
                raise InputError(
                    f"{start} the patient “{name}” is in both “{seen[name]}” and “{part}”; take it out of one."
                    if seen[name] != part
                    else f"{start} the patient “{name}” is twice in “{part}”; take one out."
                )
            if name not in patients:
                raise InputError(
                    f"{start} there is the patient “{name}”, whom the data does not have; take it out, or give the "
                    "data that the split was made for."
                )
            seen[name] = part
    if not held["train"]:
        raise InputError(f"{start} there is nobody to train on; {remedy}.")
    train, validation, test = (tuple(sorted(held[part])) for part in PARTS)
    split = Split(train, validation, test, held["seed"])
    check_people(split, start)
    return split


def check_people(split: Split, start: str) -> None:
    """See that nobody is in two lists under two names.

    Args:
        split: The lists.
        start: Of the sentence that says so, such as "In the split".

    Raises:
        InputError: Somebody is.
    """
    held: dict[str, tuple[str, str]] = {}
    for part in PARTS:
        for name in getattr(split, part):
            other, there = held.setdefault(patient_of(name), (name, part))
            if there != part:
                raise InputError(
                    f"{start} “{other}” is in “{there}” and “{name}” in “{part}”, who are one patient; keep them in "
                    "one list."
                )


def write(path: Path, split: Split, *, overwrite: bool = False) -> None:
    """Write a split as JSON, whole or not at all.

    Raises:
        InputError: The file is there already, or it cannot be written.
    """
    _write({path.name: split}, path.parent, [path.name], overwrite)


def write_folds(path: Path, folds: Sequence[Split], *, overwrite: bool = False) -> list[Path]:
    """Write folds beside each other, all or none: split.json becomes split-1.json, split-2.json, ...

    With `overwrite`, folds of that name that are left over from more of them are removed.

    Raises:
        InputError: One of the files is there already, or cannot be written.
    """
    files = {f"{path.stem}-{number}{path.suffix}": fold for number, fold in enumerate(folds, 1)}
    earlier = [
        each.name
        for each in path.parent.glob(f"*{path.suffix}")
        if each.stem.startswith(f"{path.stem}-") and each.stem[len(path.stem) + 1 :].isdecimal()
    ]
    _write(files, path.parent, sorted({*files, *earlier}), overwrite)
    return [path.parent / name for name in files]


def _write(files: dict[str, Split], folder: Path, names: Collection[str], overwrite: bool) -> None:
    with staged_files(folder, names, overwrite=overwrite) as new:
        for name, split in files.items():
            held = {"seed": split.seed, **{part: list(getattr(split, part)) for part in PARTS}}
            (new / name).write_text(json.dumps(held, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _number(wanted: float, of: int, what: str) -> int:
    if 0 < wanted < 1:
        return max(1, round(wanted * of))
    if wanted < 0 or wanted != int(wanted):
        raise InputError(f"{wanted:g} is no number of patients for {what}; give a whole number, or a share below 1.")
    return int(wanted)


def _check_left(patients: int, validation: int, test: int) -> None:
    if patients - validation - test < 1:
        raise InputError(
            f"Of {patients} patients, {validation} to validate and {test} to test on leave nobody to train on; take "
            "fewer."
        )


def _people(patients: Iterable[str]) -> dict[str, list[str]]:
    """The names of each person."""
    people: dict[str, list[str]] = {}
    for name in sorted(set(patients)):
        people.setdefault(patient_of(name), []).append(name)
    return people


def _split(people: Mapping[str, Sequence[str]], validation: set[str], test: set[str], seed: int) -> Split:
    train = people.keys() - validation - test
    named = [tuple(sorted(name for person in part for name in people[person])) for part in (train, validation, test)]
    return Split(named[0], named[1], named[2], seed)


def _by_source(names: Sequence[str], draw: random.Random) -> list[str]:
    """Shuffled, with each source together, and the sources shuffled."""
    sources = sorted({source(name) for name in names})
    draw.shuffle(sources)
    lined_up = []
    for each in sources:
        group = [name for name in names if source(name) == each]
        draw.shuffle(group)
        lined_up += group
    return lined_up


def _drawn(names: Sequence[str], number: int, draw: random.Random) -> set[str]:
    """So many at equal distances along the sources: each gives its share, rounded up or down."""
    lined_up, start = _by_source(names, draw), draw.random()
    return {lined_up[int((index + start) * len(lined_up) / number)] for index in range(number)}
