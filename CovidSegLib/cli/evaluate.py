"""`covidseg evaluate`: measure models on scans with masks, and write tables and pictures."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import models
from ..errors import InputError
from ..models import Model
from ..notices import NOT_FOR_DIAGNOSIS
from ..progress import Progress, subprogress
from .options import add_device, add_progress
from .session import Session

if TYPE_CHECKING:
    from ..data.case import Case
    from ..data.entry import Entry
    from ..evaluation.patients import PatientResult
    from ..evaluation.protocol import Protocol
    from ..evaluation.selection import SelectedData
    from ..runs.cross_validation import TrainedFold

SUMMARY = "measure models on scans with masks"
DESCRIPTION = f"Measure how well models segment lungs and infection: tables and pictures. {NOT_FOR_DIAGNOSIS}"
#: Folder of the cross-validation's runs within OUT.
FOLDS = "folds"
#: Slices of a typical whole scan, to estimate the progress before the scans are read.
SLICES_PER_SCAN = 150

#: Measurements of whole scans, by scan.
Scans = dict[str, Any]


class _Data(NamedTuple):
    """What is measured."""

    cases: list[Case]
    scans: list[Entry]
    slices: list[Case]


class _Found(NamedTuple):
    """Results of one model, or of the runs of a cross-validation."""

    patients: list[PatientResult]
    scans: Scans
    slices: list[PatientResult]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `covidseg evaluate`."""
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of scans with masks; see `covidseg data`")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="folder for the results")
    parser.add_argument("--overwrite", action="store_true", help="replace earlier results in OUT")
    measured = parser.add_mutually_exclusive_group()
    measured.add_argument("--model", help="installed model, or folder of a run; see `covidseg models`")
    measured.add_argument("--compare", nargs="+", metavar="MODEL", help="two or more models, with statistical tests")
    measured.add_argument(
        "--runs", nargs="+", metavar="RUN", help="runs of a cross-validation, each measured on its held-out patients"
    )
    measured.add_argument("--recipe", help="recipe to train and measure by cross-validation; see `covidseg recipes`")
    parser.add_argument(
        "--patients",
        nargs="+",
        metavar="NAME",
        help="only these patients and scans (default: those that no model has seen in training)",
    )
    parser.add_argument(
        "--protocol",
        choices=["clinical", "paper"],
        help="masks as in clinical use, or as papers report them: without post-processing (default: paper for models "
        "of published recipes, otherwise clinical)",
    )
    parser.add_argument(
        "--lungs",
        choices=["predicted", "target"],
        help="with --protocol paper, the lungs for networks that look within them (default: predicted)",
    )
    parser.add_argument("--card", action="store_true", help="store the results in the model card")
    parser.add_argument(
        "--card-of",
        metavar="MODEL",
        help="store the results of --runs in the card of this model, trained in the same way on all patients",
    )
    add_device(parser)
    add_progress(parser)
    cross_validation = parser.add_argument_group("options of --recipe")
    cross_validation.add_argument("--folds", type=int, metavar="K", help="number of folds (default: 5)")
    cross_validation.add_argument("--seed", type=int, help="seed of the folds and of the training (default: 0)")
    cross_validation.add_argument(
        "--epochs", type=int, metavar="N", help="epochs of every stage (default: as in the recipe)"
    )
    cross_validation.add_argument("--ablation", metavar="ROW", help="use the networks of this row of its ablation")


def run(session: Session) -> None:
    """Evaluate, and write all results or none; a cross-validation keeps the runs that it has trained.

    Raises:
        InputError: The arguments or the data cannot be used.
        Cancelled: The user has stopped the run.
    """
    session.progress("Starting", 0.0)
    _check_arguments(session.options)
    with session.defer_interrupts():
        from ..storage.claim import claimed_folder

    with claimed_folder(session.options.output):
        if session.options.recipe or session.options.runs:
            _evaluate_folds(session)
        else:
            _evaluate_models(session)


def _check_arguments(options: argparse.Namespace) -> None:
    if options.compare and len(set(options.compare)) < max(2, len(options.compare)):
        raise InputError("Give two or more different models to --compare.")
    if options.card and (options.compare or options.runs or options.recipe or options.patients):
        raise InputError(
            "A card holds all results of one model: use --card with --model, and without --compare, --runs, --recipe "
            "and --patients."
        )
    if options.card_of and (not options.runs or options.patients):
        raise InputError(
            "--card-of stores all results of --runs in a card: use it with --runs, and without --patients."
        )
    for name in ("folds", "seed", "epochs", "ablation"):
        if getattr(options, name) is not None and options.recipe is None:
            raise InputError(f"--{name} is an option of the cross-validation of a recipe: give --recipe with it.")
    if options.epochs is not None and options.epochs < 1:
        raise InputError("Give 1 or more to --epochs.")


def _evaluate_models(session: Session) -> None:
    """Evaluate one model, or several models on the same cases."""
    options, progress = session.options, session.progress
    measured = _find_models(options.compare or [options.model])
    with session.defer_interrupts():
        from ..evaluation.protocol import choose_protocol
        from ..evaluation.report import FILES, card_results
        from ..evaluation.selection import finding_of, select_data
        from ..models.store import update_card
        from ..storage.staging import check_writable

    check_writable(options.output, FILES, overwrite=options.overwrite)
    finding = finding_of(measured)
    protocol = choose_protocol(measured, options.protocol, options.lungs)
    chosen = select_data(options.data, measured, options.patients, finding)
    progress("Reading the cases", 0.02)
    data = _read(chosen)
    results: list[PatientResult] = []
    scans: dict[str, Scans] = {}
    single: list[PatientResult] = []
    for number, model in enumerate(measured):
        start, end = (0.05 + 0.9 * done / len(measured) for done in (number, number + 1))
        found = _measure(session, model, data, protocol, subprogress(progress, start, end))
        results += found.patients
        scans[model.name] = found.scans
        single += found.slices
    files = _write(session, measured, results, scans, single, protocol)
    if options.card:
        update_card(measured[0], {"results": card_results(results, scans[measured[0].name], single, protocol)})
    session.reporter.done(options.output, files)


def _read(chosen: SelectedData) -> _Data:
    return _Data(chosen.cases(), chosen.whole_scans(), chosen.single_slices())


def _measure(session: Session, model: Model, data: _Data, protocol: Protocol, progress: Progress) -> _Found:
    """Measure a model on all cases, whole scans and single slices."""
    from ..evaluation.patients import evaluate_patients
    from ..evaluation.single_slices import evaluate_single_slices
    from ..evaluation.whole_scans import evaluate_whole_scans

    device = session.options.device
    of_cases, of_scans, of_slices = _shares(data, progress)
    return _Found(
        evaluate_patients(data.cases, model, protocol=protocol, device=device, progress=of_cases),
        evaluate_whole_scans(data.scans, model, device=device, progress=of_scans),
        evaluate_single_slices(data.slices, model, protocol=protocol, device=device, progress=of_slices),
    )


def _shares(data: _Data, progress: Progress) -> list[Progress]:
    """Divide the progress between cases, whole scans and single slices, in proportion to the slices to segment."""
    from ..evaluation.patients import COPIES

    slices = [sum(len(case.scan) for case in data.cases), SLICES_PER_SCAN * len(data.scans), COPIES * len(data.slices)]
    total, ends = max(1, sum(slices)), itertools.accumulate(slices, initial=0)
    return [subprogress(progress, start / total, end / total) for start, end in itertools.pairwise(ends)]


def _evaluate_folds(session: Session) -> None:
    """Evaluate the runs of a cross-validation, each on its held-out patients; with --recipe, train them first."""
    options, progress = session.options, session.progress
    runs = _find_models(options.runs or [])
    card_model = models.find_model(options.card_of) if options.card_of else None
    with session.defer_interrupts():
        from ..evaluation import pooling
        from ..evaluation.protocol import choose_protocol
        from ..evaluation.report import FILES, card_results
        from ..evaluation.selection import finding_of, select_data
        from ..models.store import update_card
        from ..models.untrained import untrained_model
        from ..storage.staging import check_writable

    check_writable(options.output, FILES, overwrite=options.overwrite)
    systems = runs or [untrained_model(options.recipe, options.ablation)]
    finding = finding_of(systems)
    protocol = choose_protocol(systems, options.protocol, options.lungs)
    chosen = select_data(options.data, [], options.patients, finding)
    patients = [*chosen.patients, *chosen.slices]
    if not patients:
        raise InputError(f'"{options.data}" has no patients with masks to measure a cross-validation on.')
    folds = pooling.assign_patients(runs, patients) if runs else None  # checked before anything large is read
    if card_model is not None:
        pooling.check_same_recipe([*runs, card_model])
    progress("Reading the cases", 0.02)
    data = _read(chosen)
    trained = 0.05
    if folds is None:
        trained = 0.9
        folds = _cross_validate(session, chosen, data, subprogress(progress, 0.05, trained))
    found = _measure_folds(session, folds, data, protocol, subprogress(progress, trained, 0.95))
    pooled = pooling.pooled_model(folds)
    files = _write(session, [pooled], found.patients, {pooled.name: found.scans}, found.slices, protocol)
    if card_model is not None:
        how = f"Cross-validation: {len(folds)} trainings, each measured on patients and scans that it had not seen."
        stored = card_results(found.patients, found.scans, found.slices, protocol)
        update_card(card_model, {"results": {**stored, "how": " ".join([how, *filter(None, [stored.get("how")])])}})
    session.reporter.done(options.output, files)


def _cross_validate(session: Session, chosen: SelectedData, data: _Data, progress: Progress) -> list[TrainedFold]:
    """Train the folds of a recipe; those that earlier runs of the command have finished are not trained again."""
    options = session.options
    session.on_cancel = "Cancelled; the trained folds are kept in OUT. Run the same command again to continue."
    with session.defer_interrupts():
        from ..data.licences import card_facts
        from ..runs.cross_validation import cross_validate
        from ..runs.fold import make_fold_trainer

    return cross_validate(
        options.recipe,
        [*chosen.patients, *chosen.slices],
        options.output / FOLDS,
        make_fold_trainer([*data.cases, *data.slices], card_facts(chosen.data.layouts()), options.device),
        folds=5 if options.folds is None else options.folds,
        seed=options.seed or 0,
        epochs=options.epochs,
        ablation=options.ablation,
        progress=progress,
    )


def _measure_folds(
    session: Session, folds: Sequence[TrainedFold], data: _Data, protocol: Protocol, progress: Progress
) -> _Found:
    """Measure each run on its held-out patients, and on the whole scans that it has not seen."""
    from ..evaluation.pooling import evaluate_folds, evaluate_folds_on_scans
    from ..evaluation.single_slices import evaluate_single_slices

    device = session.options.device
    of_cases, of_scans, of_slices = _shares(data, progress)
    return _Found(
        evaluate_folds(data.cases, folds, protocol=protocol, device=device, progress=of_cases),
        evaluate_folds_on_scans(data.scans, folds, device=device, progress=of_scans),
        evaluate_folds(
            data.slices, folds, evaluate=evaluate_single_slices, protocol=protocol, device=device, progress=of_slices
        ),
    )


def _write(
    session: Session,
    measured: Sequence[Model],
    results: Sequence[PatientResult],
    scans: dict[str, Scans],
    single: Sequence[PatientResult],
    protocol: Protocol,
) -> list[Path]:
    from ..evaluation.report import write_evaluation

    options = session.options
    progress = subprogress(session.progress, 0.95, 1.0)
    return write_evaluation(
        options.output,
        measured,
        results,
        scans,
        single,
        protocol=protocol,
        overwrite=options.overwrite,
        progress=progress,
    )


def _find_models(names: Sequence[str | None]) -> list[Model]:
    """Find models, all with different names: tables identify them by name."""
    found = [models.find_model(name) for name in names]
    short = [model.name for model in found]
    if repeated := next((name for name in short if short.count(name) > 1), None):
        raise InputError(
            f'Two of the models are called "{repeated}"; give each model once, and rename one of two folders.'
        )
    return found
