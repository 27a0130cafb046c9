"""Several runs of one recipe as one model: each patient is measured by the run that has not seen it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..data.case import Case
from ..errors import InputError
from ..models import Model
from ..models.loading import recipe_of
from ..progress import Progress, silent, subprogress
from ..runs.cross_validation import TrainedFold
from .patients import PatientResult, evaluate_patients
from .whole_scans import evaluate_whole_scans

SPLIT_FILE = "split.json"


def assign_patients(runs: Sequence[Model], patients: Collection[str]) -> list[TrainedFold]:
    """Which run measures whom: by the test patients of its split.json, or where it has none, of its card.

    Args:
        runs: Finished runs of one recipe.
        patients: All that are to be measured.

    Raises:
        InputError: The runs are of different recipes, a run was trained on a patient of its test, or a patient is in
            the test of none or of several.
    """
    check_same_recipe(runs)
    tests = {run.name: _test(run) for run in runs}
    for patient in patients:
        testing = [name for name, test in tests.items() if patient in test]
        if not testing:
            raise InputError(
                f"None of the runs was kept from the patient “{patient}”; give the run that was, or name the "
                "patients to measure with --patients."
            )
        if len(testing) > 1:
            raise InputError(
                f"The patient “{patient}” is in the test of {' and '.join(testing)}; give runs of one cross-validation."
            )
    folds = [TrainedFold(run, tuple(name for name in patients if name in tests[run.name])) for run in runs]
    return [fold for fold in folds if fold.held_out]


def pooled_model(folds: Sequence[TrainedFold]) -> Model:
    """What the runs are called together, with their recipe; it has no weights of its own."""
    first = folds[0].model
    name = f"{recipe_of(first).name}, {len(folds)} runs".replace("/", "-")
    return Model(Path(name), {**first.card, "recipe": first.recipe, "trained_on": [], "validation": [], "results": {}})


def evaluate_folds(
    cases: Collection[Case], folds: Sequence[TrainedFold], *, device: str = "auto", progress: Progress = silent
) -> list[PatientResult]:
    """Measure each run on its patients.

    Args:
        cases: As of `evaluate_patients`.
        folds: Runs and patients.
        device: As of `pipeline.segment`.
        progress: Told the stage and the fraction of the cases that is done.

    Returns:
        One result for each patient, sorted by name, of the model `pooled_model`, each with the run that made it.

    Raises:
        InputError: A case cannot be segmented; names it.
        Cancelled: From `progress`.
    """
    name, results, done = pooled_model(folds).name, [], 0
    for fold in folds:
        own = [case for case in cases if case.patient in fold.held_out]
        here = subprogress(progress, done / len(cases), (done + len(own)) / len(cases))
        for result in evaluate_patients(own, fold.model, device=device, progress=here):
            results.append(replace(result, model=name, run=fold.model.name))
        done += len(own)
    return sorted(results, key=lambda result: result.patient)


def evaluate_folds_on_scans(
    folders: Mapping[Path, Sequence[str]],
    folds: Sequence[TrainedFold],
    *,
    device: str = "auto",
    progress: Progress = silent,
) -> dict[str, dict[str, Any]]:
    """Measure whole scans, each by the first run that has not seen its clean slices; what all have seen is left out.

    Args:
        folders: Names of scans by the folder that holds them.
        folds: The runs.
        device: As of `pipeline.segment`.
        progress: Told the stage and the fraction of the scans that is done.

    Returns:
        As `evaluate_whole_scans`, each with the "run" that made it.

    Raises:
        InputError: A scan cannot be read or segmented.
        Cancelled: From `progress`.
    """
    unseen = [
        (folder, name, fold.model)
        for folder, names in folders.items()
        for name in names
        for fold in [each for each in folds if name not in each.model.seen][:1]
    ]
    found: dict[str, dict[str, Any]] = {}
    for number, (folder, name, run) in enumerate(unseen):
        here = subprogress(progress, number / len(unseen), (number + 1) / len(unseen))
        measured = evaluate_whole_scans(folder, run, [name], device=device, progress=here)
        found |= {scan: {**of, "run": run.name} for scan, of in measured.items()}
    return found


def check_same_recipe(runs: Sequence[Model]) -> None:
    """See that runs are of one recipe.

    Raises:
        InputError: They are not.
    """
    first, *others = runs
    for other in others:
        # What the paper reports and what it is called does not change a network.
        one, two = (replace(recipe_of(run), name="", title="", reported={}) for run in (first, other))
        if one != two:
            raise InputError(
                f"The runs “{first.name}” and “{other.name}” are of different recipes and are no model together; "
                "measure them apart, or side by side with --compare."
            )


def _test(run: Model) -> set[str]:
    path = run.folder / SPLIT_FILE
    if not path.exists():
        return set(run.card.get("never_trained_on", [])) - run.seen
    try:
        return _unseen(run, json.loads(path.read_text(encoding="utf-8"))["test"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{SPLIT_FILE} of the run “{run.name}” cannot be read; train it again.") from error


def _unseen(run: Model, test: Collection[str]) -> set[str]:
    if seen := sorted(run.seen.intersection(test)):
        raise InputError(
            f"The run “{run.name}” was trained on “{seen[0]}”, or chosen by it, which is in its own test: it says "
            "nothing of other patients; train it again."
        )
    return set(test)
