"""Pooled evaluation of a cross-validation: each patient is evaluated by the run that it was held out from."""

from __future__ import annotations

import typing
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..data.case import Case
from ..data.entry import Entry
from ..errors import InputError
from ..models import Model
from ..models.loading import recipe_of
from ..progress import Progress, silent, subprogress
from ..runs.cross_validation import TrainedFold
from ..storage.limited import read_limited_json
from .patients import PatientResult, evaluate_patients
from .protocol import Protocol
from .whole_scans import evaluate_whole_scans

SPLIT_FILE = "split.json"


class Evaluate(typing.Protocol):
    """Evaluates a model on cases: `evaluate_patients` or `evaluate_single_slices`."""

    def __call__(
        self, cases: Collection[Case], model: Model, *, protocol: Protocol, device: str, progress: Progress
    ) -> list[PatientResult]:
        """Return the results."""


def assign_patients(runs: Sequence[Model], patients: Collection[str]) -> list[TrainedFold]:
    """Assign each patient to the run whose test set contains it.

    The test set is that of the run's split.json, or without this file that of its card.

    Args:
        runs: Finished runs of one recipe.
        patients: Patients to evaluate.

    Returns:
        The runs with their patients. Runs without patients are left out.

    Raises:
        InputError: The runs have different recipes, a run was trained on a patient of its test set, or a patient is in
            no test set or in several.
    """
    check_same_recipe(runs)
    test_sets = {run.name: _test_set(run) for run in runs}
    for patient in patients:
        testing = [name for name, test_set in test_sets.items() if patient in test_set]
        if not testing:
            raise InputError(
                f'The patient "{patient}" was held out from none of the runs. Add the run from which it was held out, '
                "or name the patients to evaluate with --patients."
            )
        if len(testing) > 1:
            raise InputError(
                f'The patient "{patient}" was held out from several runs: {" and ".join(testing)}. Give the runs of '
                "one cross-validation."
            )
    folds = [TrainedFold(run, tuple(name for name in patients if name in test_sets[run.name])) for run in runs]
    return [fold for fold in folds if fold.held_out]


def pooled_model(folds: Sequence[TrainedFold]) -> Model:
    """Return a model that represents all runs in tables: a common name and recipe, without weights."""
    first = folds[0].model
    name = f"{recipe_of(first).name}, {len(folds)} runs".replace("/", "-")
    return Model(Path(name), {**first.card, "recipe": first.recipe, "trained_on": [], "validation": [], "results": {}})


def evaluate_folds(
    cases: Collection[Case],
    folds: Sequence[TrainedFold],
    *,
    evaluate: Evaluate = evaluate_patients,
    protocol: Protocol = Protocol(),  # noqa: B008 - frozen
    device: str = "auto",
    progress: Progress = silent,
) -> list[PatientResult]:
    """Evaluate each run on its held-out patients.

    Args:
        cases: Cases of all patients, of which `evaluate` takes some.
        folds: Runs with their held-out patients.
        evaluate: Evaluates one run: `evaluate_patients` or `evaluate_single_slices`.
        protocol: How masks are made.
        device: Device for the networks; see `pipeline.segment`.
        progress: Receives the stage and the fraction of the cases done. May raise `Cancelled`.

    Returns:
        The results of `evaluate`, one for each patient or single slice, sorted by name. All have the name of
        `pooled_model`, and name their run.

    Raises:
        InputError: A case cannot be segmented. The message names it.
        Cancelled: Raised by `progress`.
    """
    name, done = pooled_model(folds).name, 0
    results: list[PatientResult] = []
    for fold in folds:
        held_out = [case for case in cases if case.patient in fold.held_out]
        if held_out:
            here = subprogress(progress, done / len(cases), (done + len(held_out)) / len(cases))
            of_fold = evaluate(held_out, fold.model, protocol=protocol, device=device, progress=here)
            results += [replace(result, model=name, run=fold.model.name) for result in of_fold]
        done += len(held_out)
    return sorted(results, key=lambda result: result.patient)


def evaluate_folds_on_scans(
    scans: Sequence[Entry],
    folds: Sequence[TrainedFold],
    *,
    device: str = "auto",
    progress: Progress = silent,
) -> dict[str, dict[str, Any]]:
    """Evaluate whole scans, each with the first run that was not trained on its slices. Others are left out.

    Args:
        scans: Entries with `slice_labels`.
        folds: The runs.
        device: Device for the networks; see `pipeline.segment`.
        progress: Receives the stage and the fraction of the scans done. May raise `Cancelled`.

    Returns:
        The results of `evaluate_whole_scans`, each with its "run".

    Raises:
        InputError: A scan cannot be read or segmented.
        Cancelled: Raised by `progress`.
    """
    runs = [fold.model for fold in folds]
    first_unseen = [(scan, next((run for run in runs if scan.name not in run.seen), None)) for scan in scans]
    assigned = [(scan, run) for scan, run in first_unseen if run is not None]
    results: dict[str, dict[str, Any]] = {}
    for number, (scan, run) in enumerate(assigned):
        scan_progress = subprogress(progress, number / len(assigned), (number + 1) / len(assigned))
        by_scan = evaluate_whole_scans([scan], run, device=device, progress=scan_progress)
        results |= {name: {**numbers, "run": run.name} for name, numbers in by_scan.items()}
    return results


def check_same_recipe(runs: Sequence[Model]) -> None:
    """Check that all runs have the same recipe.

    Raises:
        InputError: They have not.
    """
    first, *others = runs
    for other in others:
        # Names and the results that a paper reports do not affect a network.
        one, two = (replace(recipe_of(run), name="", title="", reported={}) for run in (first, other))
        if one != two:
            raise InputError(
                f'The runs "{first.name}" and "{other.name}" have different recipes and cannot be pooled. Evaluate '
                "each of them alone, or compare them with --compare."
            )


def _test_set(run: Model) -> set[str]:
    path = run.folder / SPLIT_FILE
    if not path.exists():
        return set(run.card.get("never_trained_on", [])) - run.seen
    try:
        test_set = set(read_limited_json(path)["test"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f'{SPLIT_FILE} of the run "{run.name}" cannot be read. Train it again.') from error
    if seen := sorted(run.seen & test_set):
        raise InputError(
            f'The run "{run.name}" used "{seen[0]}", a patient of its own test set, for training or validation. '
            "Train it again."
        )
    return test_set
