"""`covidseg evaluate`: from data and models, runs or a recipe to the tables and pictures of an evaluation."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import models
from ..errors import InputError
from ..models import Model
from ..progress import Progress, subprogress
from ..storage.staging import check_writable
from .reporter import Reporter

if TYPE_CHECKING:
    from ..data.case import Case
    from ..evaluation.patients import PatientResult

#: In OUT, where a cross-validation trains.
FOLDS = "folds"
#: How a cross-validation is cancelled: hours of training are not lost.
KEPT = "Cancelled; what was trained is kept in OUT: the same command goes on from there."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of scans with masks; see `covidseg data`")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="folder for the results")
    parser.add_argument("--overwrite", action="store_true", help="replace earlier results in OUT")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--model", help="name of an installed model, or folder of a run; see `covidseg models`")
    which.add_argument("--compare", nargs="+", metavar="MODEL", help="two models or more, side by side, with tests")
    which.add_argument("--runs", nargs="+", metavar="RUN", help="runs of a cross-validation, each on whom it left out")
    which.add_argument("--recipe", help="train and measure it by cross-validation; see `covidseg recipes`")
    parser.add_argument(
        "--patients", nargs="+", metavar="NAME", help="only these patients and scans (default: those no model has seen)"
    )
    parser.add_argument("--card", action="store_true", help="put the numbers into the model's card")
    parser.add_argument(
        "--card-of", metavar="MODEL", help="put the numbers of --runs into this card: trained alike, on all patients"
    )
    parser.add_argument("--device", default="auto", help="auto (the default), cpu or cuda")
    parser.add_argument("--progress", choices=["bar", "json", "none"], help="how to show progress")
    own = parser.add_argument_group("of --recipe")
    own.add_argument("--folds", type=int, metavar="K", help="parts, each left out once (default: 5)")
    own.add_argument("--seed", type=int, help="of the parts and of the training (default: 0)")
    own.add_argument("--epochs", type=int, metavar="N", help="passes over the data of each stage, not the recipe's")
    own.add_argument("--ablation", metavar="ROW", help="the networks of a row of its paper's ablation")


def run(
    options: argparse.Namespace,
    say: Reporter,
    progress: Progress,
    held: Callable[[], AbstractContextManager[None]],
) -> None:
    """Evaluate, and write the results or nothing; a cross-validation leaves what it has trained.

    Args:
        options: Of `add_arguments`.
        say: Told the end.
        progress: Told the stage; raises Cancelled to stop.
        held: While libraries load, an interruption waits.

    Raises:
        InputError: The arguments or the data cannot be used.
        Cancelled: From `progress`.
    """
    progress("Starting", 0.0)
    _check(options)
    if options.recipe or options.runs:
        _pooled(options, say, progress, held)
    else:
        _apart(options, say, progress, held)


def _check(options: argparse.Namespace) -> None:
    if options.compare and len(set(options.compare)) < max(2, len(options.compare)):
        raise InputError("Give two different models or more to --compare.")
    if options.card and (options.compare or options.runs or options.recipe or options.patients):
        raise InputError(
            "A card holds all results of one model: --card goes with --model, and with none of --compare, --runs, "
            "--recipe and --patients."
        )
    if options.card_of and (not options.runs or options.patients):
        raise InputError("--card-of puts all results of --runs into a card: give it with --runs, and no --patients.")
    for key in ("folds", "seed", "epochs", "ablation"):
        if getattr(options, key) is not None and options.recipe is None:
            raise InputError(f"--{key} says how a recipe is cross-validated: give --recipe with it.")
    if options.epochs is not None and options.epochs < 1:
        raise InputError("Give 1 or more to --epochs.")


def _apart(
    options: argparse.Namespace,
    say: Reporter,
    progress: Progress,
    held: Callable[[], AbstractContextManager[None]],
) -> None:
    """One model, or several on the same cases."""
    chosen = _found(options.compare or [options.model])
    with held():
        from ..evaluation.patients import evaluate_patients
        from ..evaluation.report import FILES, card_results, write_evaluation
        from ..evaluation.selection import select_data
        from ..evaluation.whole_scans import evaluate_whole_scans
        from ..models.store import update_card

    check_writable(options.output, FILES, overwrite=options.overwrite)
    wanted = select_data(options.data, chosen, options.patients)
    progress("Reading the cases", 0.02)
    cases = wanted.cases()
    slices = sum(len(case.scan) for case in cases)
    share = slices / (slices + 150 * len(wanted.scans))  # a whole scan has about that many
    results: list[PatientResult] = []
    scans: dict[str, dict[str, Any]] = {}
    for number, model in enumerate(chosen):
        here = subprogress(progress, 0.05 + 0.9 * number / len(chosen), 0.05 + 0.9 * (number + 1) / len(chosen))
        results += evaluate_patients(cases, model, device=options.device, progress=subprogress(here, 0.0, share))
        scans[model.name] = {}
        for folder, names in wanted.scan_folders().items():
            scans[model.name] |= evaluate_whole_scans(
                folder, model, names, device=options.device, progress=subprogress(here, share, 1.0)
            )
    files = write_evaluation(
        options.output, chosen, results, scans, overwrite=options.overwrite, progress=subprogress(progress, 0.95, 1.0)
    )
    if options.card:
        update_card(chosen[0], {"results": card_results(results, scans[chosen[0].name])})
    say.done(options.output, files)


def _pooled(
    options: argparse.Namespace,
    say: Reporter,
    progress: Progress,
    held: Callable[[], AbstractContextManager[None]],
) -> None:
    """Runs of one recipe, each on the patients that it has not seen; they are trained here, or were before."""
    runs = _found(options.runs) if options.runs else []
    of = models.find_model(options.card_of) if options.card_of else None
    with held():
        from ..evaluation.pooling import (
            assign_patients,
            check_same_recipe,
            evaluate_folds,
            evaluate_folds_on_scans,
            pooled_model,
        )
        from ..evaluation.report import FILES, card_results, write_evaluation
        from ..evaluation.selection import select_data
        from ..models.store import update_card

    check_writable(options.output, FILES, overwrite=options.overwrite)
    wanted = select_data(options.data, [], options.patients)
    if not wanted.patients:
        raise InputError(f'"{options.data}" holds no patients with masks, by whom a cross-validation is measured.')
    if runs:
        shares = assign_patients(runs, wanted.patients)  # before anything large is read
        if of is not None:
            check_same_recipe([*runs, of])
    progress("Reading the cases", 0.02)
    cases: Sequence[Case] = wanted.cases()
    measuring = 0.05
    if not runs:
        options.cancelled = KEPT
        with held():
            from ..data.licences import terms_of
            from ..runs.cross_validation import cross_validate
            from ..runs.fold import make_fold_trainer

        measuring = 0.9
        shares = cross_validate(
            options.recipe,
            wanted.patients,
            options.output / FOLDS,
            make_fold_trainer(cases, terms_of(wanted.data.layout), options.device),
            folds=5 if options.folds is None else options.folds,
            seed=options.seed or 0,
            epochs=options.epochs,
            ablation=options.ablation,
            progress=subprogress(progress, 0.05, measuring),
        )
    scanning = 0.95 - (0.95 - measuring) / 2 if wanted.scans else 0.95
    results: list[PatientResult] = evaluate_folds(
        cases, shares, device=options.device, progress=subprogress(progress, measuring, scanning)
    )
    model, of_scans = pooled_model(shares), wanted.scan_folders()
    scans = evaluate_folds_on_scans(
        of_scans, shares, device=options.device, progress=subprogress(progress, scanning, 0.95)
    )
    files = write_evaluation(
        options.output,
        [model],
        results,
        {model.name: scans},
        overwrite=options.overwrite,
        progress=subprogress(progress, 0.95, 1.0),
    )
    if of is not None:
        how = f"Cross-validation: {len(shares)} trainings, each measured on patients and scans that it had not seen."
        update_card(of, {"results": {"how": how, **card_results(results, scans)}})
    say.done(options.output, files)


def _found(wanted: Sequence[str | None]) -> list[Model]:
    """The models, which tables tell apart by their names."""
    chosen = [models.find_model(name) for name in wanted]
    names = [model.name for model in chosen]
    if again := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"Two of the models are called “{again}”; give each only once, and rename one of two folders.")
    return chosen
