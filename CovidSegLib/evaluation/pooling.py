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
from ..runs.cross_validation import Share
from .masks import Result, evaluate_masks
from .whole_scans import evaluate_whole_scans

SPLIT_FILE = "split.json"


def shares_of(runs: Sequence[Model], patients: Collection[str]) -> list[Share]:
    """Which run measures whom: by the test patients of its split.json, or where it has none, of its card.

    Args:
        runs: Finished runs of one recipe.
        patients: All that are to be measured.

    Raises:
        InputError: The runs are of different recipes, a run was trained on a patient of its test, or a patient is in
            the test of none or of several.
    """
    check_alike(runs)
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
    shares = [Share(run, tuple(name for name in patients if name in tests[run.name])) for run in runs]
    return [share for share in shares if share.patients]


def pooled(shares: Sequence[Share]) -> Model:
    """What the runs are called together, with their recipe; it has no weights of its own."""
    first = shares[0].model
    name = f"{recipe_of(first).name}, {len(shares)} runs".replace("/", "-")
    return Model(Path(name), {**first.card, "recipe": first.recipe, "trained_on": [], "validation": [], "results": {}})


def evaluate_pooled(
    cases: Collection[Case], shares: Sequence[Share], *, device: str = "auto", progress: Progress = silent
) -> list[Result]:
    """Measure each run on its patients.

    Args:
        cases: As of `evaluate_masks`.
        shares: Runs and patients.
        device: As of `pipeline.segment`.
        progress: Told the stage and the fraction of the cases that is done.

    Returns:
        A result a patient, in the order of their names, all of the model `pooled`, each with the run that made it.

    Raises:
        InputError: A case cannot be segmented; names it.
        Cancelled: From `progress`.
    """
    name, results, done = pooled(shares).name, [], 0
    for share in shares:
        own = [case for case in cases if case.patient in share.patients]
        here = subprogress(progress, done / len(cases), (done + len(own)) / len(cases))
        for result in evaluate_masks(own, share.model, device=device, progress=here):
            results.append(replace(result, model=name, run=share.model.name))
        done += len(own)
    return sorted(results, key=lambda result: result.patient)


def evaluate_scans(
    folders: Mapping[Path, Sequence[str]],
    shares: Sequence[Share],
    *,
    device: str = "auto",
    progress: Progress = silent,
) -> dict[str, dict[str, Any]]:
    """Measure whole scans, each by the first run that has not seen its clean slices; what all have seen is left out.

    Args:
        folders: Names of scans by the folder that holds them.
        shares: The runs.
        device: As of `pipeline.segment`.
        progress: Told the stage and the fraction of the scans that is done.

    Returns:
        As `evaluate_whole_scans`, each with the "run" that made it.

    Raises:
        InputError: A scan cannot be read or segmented.
        Cancelled: From `progress`.
    """
    unseen = [
        (folder, name, share.model)
        for folder, names in folders.items()
        for name in names
        for share in [each for each in shares if name not in each.model.seen][:1]
    ]
    found: dict[str, dict[str, Any]] = {}
    for number, (folder, name, run) in enumerate(unseen):
        here = subprogress(progress, number / len(unseen), (number + 1) / len(unseen))
        measured = evaluate_whole_scans(folder, run, [name], device=device, progress=here)
        found |= {scan: {**of, "run": run.name} for scan, of in measured.items()}
    return found


def check_alike(runs: Sequence[Model]) -> None:
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
