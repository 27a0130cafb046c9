"""Training, validation and test patients. Splits are made by patient, never by slice.

Slices of one patient resemble each other, so a split within patients would measure memory instead of skill. Names that
`patients.patient_of` maps to one patient (two studies of one case of Radiopaedia) stay together.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..errors import InputError
from .patients import patient_of

PARTS = ("train", "validation", "test")
#: Draws before fewer scans than wanted are accepted, as patients with several scans are not divided.
DRAWS = 100


@dataclass(frozen=True)
class Split:
    """Names of patients. Each is in one list at most, and each list is sorted; patients in no list are not used.

    Attributes:
        train: Patients for training.
        validation: Patients that are not trained on; the epoch with the best results on them is kept.
        test: Patients that are evaluated only at the end.
        seed: Seed with which the lists were drawn.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    seed: int


def source_of(patient: str) -> str:
    """Return where a scan comes from: the part of its name before the first underscore."""
    return patient.split("_", 1)[0]


def make_split(patients: Iterable[str], seed: int, validation: float = 0.2, test: float = 0.2) -> Split:
    """Draw a split in which each list has its share of every source, to within one patient.

    Args:
        patients: Names, in any order.
        seed: The same names and seed give the same split.
        validation: Number of patients, or a fraction of all if below 1. A fraction above 0 gives at least one patient.
        test: The same for the test patients.

    Raises:
        InputError: No patient is left for training, or a number is negative or not whole.
    """
    names_by_patient, rng = _group_names(patients), random.Random(seed)
    validation_count = _patient_count(validation, len(names_by_patient), "validation")
    test_count = _patient_count(test, len(names_by_patient), "test")
    _check_some_left(len(names_by_patient), validation_count, test_count)
    tested = _draw(sorted(names_by_patient), test_count, rng)
    rest = [patient for patient in sorted(names_by_patient) if patient not in tested]
    return _build_split(names_by_patient, _draw(rest, validation_count, rng), tested, seed)


def make_paper_split(scans: Mapping[str, int], seed: int, train: float, validation: float, test: float) -> Split:
    """Draw the split of a paper: as many scans as it states, or the same shares if there are fewer.

    Patients are never divided: a patient with two scans counts as two. Scans beyond the paper's numbers are not used.

    Args:
        scans: Number of scans, by name of the patient.
        seed: The same names and seed give the same split.
        train: Number of scans, or a fraction of all if all three are 1 at most.
        validation: The same for the validation patients.
        test: The same for the test patients.

    Raises:
        InputError: No patient is left for training.

    Example:
        >>> split = make_paper_split({f"coronacases_{number}": 1 for number in range(20)}, 0, 16, 0, 3)
        >>> len(split.train), len(split.validation), len(split.test)
        (16, 0, 3)
    """
    names_by_patient, rng = _group_names(scans), random.Random(seed)
    weights = {person: sum(scans[name] for name in names) for person, names in names_by_patient.items()}
    total, given = sum(weights.values()), (train, validation, test)
    exact = max(given) > 1 and sum(given) <= total
    train_scans, validation_scans, test_scans = given if exact else (total, *_shares(given, total)[1:])
    _check_some_left(total, int(validation_scans), int(test_scans))
    tested = _draw_scans(weights, int(test_scans), rng)
    validated = _draw_scans({person: weights[person] for person in weights.keys() - tested}, int(validation_scans), rng)
    rest = {person: weights[person] for person in weights.keys() - tested - validated}
    trained = _draw_scans(rest, int(train_scans), rng) if exact else set(rest)
    unused = rest.keys() - trained
    used = {person: names for person, names in names_by_patient.items() if person not in unused}
    return _build_split(used, validated, tested, seed)


def make_folds(patients: Iterable[str], folds: int, seed: int, validation: float = 1) -> list[Split]:
    """Draw the folds of a cross-validation. Each patient is tested once, and each source is spread evenly.

    Args:
        patients: Names, in any order.
        folds: Number of folds, two or more.
        seed: The same names and seed give the same folds.
        validation: Number of patients, drawn from those not tested in the fold, or a fraction of all if below 1.

    Raises:
        InputError: There are fewer patients than folds, or a fold has no patient left for training.
    """
    names_by_patient, rng = _group_names(patients), random.Random(seed)
    if not 2 <= folds <= len(names_by_patient):
        raise InputError(
            f"{len(names_by_patient)} patients cannot be divided into {folds} folds. Choose 2 to "
            f"{len(names_by_patient)} folds."
        )
    validation_count = _patient_count(validation, len(names_by_patient), "validation")
    _check_some_left(len(names_by_patient), validation_count, -(-len(names_by_patient) // folds))
    # Every n-th of patients lined up by source: sizes differ by one at most, for each source too.
    lined_up = _line_up(sorted(names_by_patient), rng)
    splits = []
    for fold in range(folds):
        tested = set(lined_up[fold::folds])
        rest = [patient for patient in sorted(names_by_patient) if patient not in tested]
        splits.append(_build_split(names_by_patient, _draw(rest, validation_count, rng), tested, seed))
    return splits


def check_distinct_patients(split: Split, subject: str) -> None:
    """Check that no patient is in two lists under two names.

    Args:
        split: The lists.
        subject: Start of the error message, such as "In the split".

    Raises:
        InputError: A patient is.
    """
    first: dict[str, tuple[str, str]] = {}
    for part in PARTS:
        for name in getattr(split, part):
            other_name, other_part = first.setdefault(patient_of(name), (name, part))
            if other_part != part:
                raise InputError(
                    f'{subject} "{other_name}" is in "{other_part}" and "{name}" in "{part}", but they are one patient.'
                    " Keep them in one list."
                )


def _patient_count(number: float, total: int, part: str) -> int:
    if 0 < number < 1:
        return max(1, round(number * total))
    if number < 0 or number != int(number):
        raise InputError(
            f"{number:g} is not a number of patients for {part}. Give a whole number, or a fraction below 1."
        )
    return int(number)


def _shares(given: Sequence[float], total: int) -> list[int]:
    """Divide a number of scans in proportion; every share above 0 has one scan at least."""
    return [max(1, round(total * part / sum(given))) if part else 0 for part in given]


def _draw_scans(weights: Mapping[str, int], count: int, rng: random.Random) -> set[str]:
    """Draw patients with that many scans together, from each source its share as far as possible."""
    patients, best, most = sorted(weights), set[str](), 0
    for _ in range(DRAWS if count else 0):
        first = _draw(patients, min(count, len(patients)), rng)
        others = [patient for patient in patients if patient not in first]
        drawn, scans = set[str](), 0
        for patient in [*_line_up(sorted(first), rng), *_line_up(others, rng)]:
            if scans + weights[patient] <= count:
                drawn.add(patient)
                scans += weights[patient]
        if scans > most:
            best, most = drawn, scans
        if most == count:
            break
    return best


def _check_some_left(patients: int, validation: int, test: int) -> None:
    if patients - validation - test < 1:
        raise InputError(
            f"Of {patients} patients, {validation} for validation and {test} for test leave none for training. Choose "
            "fewer."
        )


def _group_names(patients: Iterable[str]) -> dict[str, list[str]]:
    """Return the names of each patient."""
    groups: dict[str, list[str]] = {}
    for name in sorted(set(patients)):
        groups.setdefault(patient_of(name), []).append(name)
    return groups


def _build_split(
    names_by_patient: Mapping[str, Sequence[str]], validation: set[str], test: set[str], seed: int
) -> Split:
    train = names_by_patient.keys() - validation - test
    lists = [
        tuple(sorted(name for patient in part for name in names_by_patient[patient]))
        for part in (train, validation, test)
    ]
    return Split(lists[0], lists[1], lists[2], seed)


def _line_up(patients: Sequence[str], rng: random.Random) -> list[str]:
    """Return the patients by source, with the sources and the patients of each source shuffled."""
    sources = sorted({source_of(patient) for patient in patients})
    rng.shuffle(sources)
    lined_up = []
    for source in sources:
        group = [patient for patient in patients if source_of(patient) == source]
        rng.shuffle(group)
        lined_up += group
    return lined_up


def _draw(patients: Sequence[str], count: int, rng: random.Random) -> set[str]:
    """Draw patients at equal distances along the sources, so that each source gives its share, rounded up or down."""
    lined_up, start = _line_up(patients, rng), rng.random()
    return {lined_up[int((index + start) * len(lined_up) / count)] for index in range(count)}
