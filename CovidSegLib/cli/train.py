"""`covidseg train`: train recipes on a data set; each run is a folder that becomes a model."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import models
from ..errors import InputError
from ..notices import NOT_FOR_DIAGNOSIS
from ..progress import Progress, silent, subprogress
from .options import add_device, add_progress
from .session import Session

if TYPE_CHECKING:
    from ..data import DataSet
    from ..data.split import Split
    from ..recipe import Recipe
    from ..runs.run import RunConfig

SUMMARY = "train recipes"
DESCRIPTION = f"Train your own models on scans with masks. {NOT_FOR_DIAGNOSIS}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `covidseg train`."""
    parser.add_argument(
        "recipe", nargs="+", metavar="RECIPE", help="name of a recipe, or path of its .toml file; one run for each"
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DATA", help="folder of scans with masks")
    parser.add_argument(
        "-o",
        "--output",
        "--out",
        type=Path,
        required=True,
        metavar="RUN",
        help="folder of the run; with several recipes, the folder that holds all runs",
    )
    parser.add_argument("--ablation", metavar="ROW", help="train the networks of this row of the paper's ablation")
    parser.add_argument(
        "--split",
        type=Path,
        metavar="FILE",
        help="training, validation and test patients; see `covidseg data split` (default: drawn as in the paper)",
    )
    parser.add_argument("--validation", nargs="+", metavar="PATIENT", help="validation patients, instead of --split")
    parser.add_argument("--test", nargs="+", metavar="PATIENT", help="test patients to leave out, instead of --split")
    parser.add_argument(
        "--whole-scans",
        nargs="+",
        default=[],
        metavar="SCAN",
        help="whole scans; their slices without infection are added to the training data",
    )
    parser.add_argument("--stage", action="append", help="train only this stage: lungs or infection (repeatable)")
    parser.add_argument("--start", type=Path, metavar="RUN", help="finished run whose weights initialise the networks")
    parser.add_argument(
        "--seed", type=_not_negative, default=0, help="seed of weights, sampling and augmentation (default: 0)"
    )
    parser.add_argument("--epochs", type=_positive, help="epochs of every stage (default: as in the recipe)")
    parser.add_argument(
        "--workers", type=_not_negative, default=2, help="processes that prepare the images, or 0 (default: 2)"
    )
    parser.add_argument("--resume", action="store_true", help="resume interrupted runs")
    add_device(parser)
    add_progress(parser)


def run(session: Session) -> None:
    """Train all recipes, one after the other.

    Raises:
        InputError: The arguments or the data cannot be used.
        Cancelled: The user has stopped the run; it can be resumed.
    """
    options, reporter = session.options, session.reporter
    with session.defer_interrupts():
        from ..data import open_data
        from ..data.licences import card_facts
        from ..inference.devices import choose_device
        from ..runs import run as training

    first = int(os.environ.get("RANK", "0")) == 0  # torchrun starts several processes; only the first one reports
    device = choose_device(options.device)
    data = open_data(options.data)
    configs = _run_configs(session, data, _given_split(options, data), first=first)
    if first:
        for folder, config in configs.items():
            training.prepare_run(folder, config, resume=options.resume)
    session.on_cancel = "Cancelled; run the same command with --resume to continue after the last complete epoch."
    clean_slices = [data.clean_slices(name) for name in options.whole_scans]
    terms = card_facts(data.layouts(options.whole_scans))
    with session.defer_interrupts():  # stops between two optimizer steps, not inside torch or its worker processes
        split: Split | None = None
        for number, (folder, config) in enumerate(configs.items()):
            if config.split != split:  # cases are kept from one recipe to the next
                split = config.split
                train_cases = data.cases(split.train) + clean_slices
                validation_cases = data.cases(split.validation) if split.validation else []
            if first:
                reporter.line(_describe_start(config, len({case.patient for case in train_cases})))
            progress: Progress = reporter if first else silent
            training.train_run(
                folder,
                config,
                train_cases,
                validation_cases,
                terms=terms,
                resume=True,
                device=device,
                log=reporter.line,
                arguments=_arguments_to_store(options),
                progress=session.interrupts.checked(
                    subprogress(progress, number / len(configs), (number + 1) / len(configs))
                ),
            )
    if first:
        reporter.done(options.output, [folder / models.WEIGHTS_FILE for folder in configs])


def _run_configs(session: Session, data: DataSet, split: Split | None, *, first: bool) -> dict[Path, RunConfig]:
    """Return what to train, by the folder of the run."""
    from .. import recipes
    from ..runs.run import RunConfig

    options = session.options
    configs = {}
    for name in options.recipe:
        changes = recipes.epoch_changes(name, options.ablation, options.epochs)
        text = recipes.resolved_toml(name, options.ablation, changes)
        recipe = recipes.parse(text, name)
        if first and recipe.training.starts_from and options.start is None:
            session.reporter.warning(
                f"The paper starts {recipe.name} from {recipe.training.starts_from}: give its run with --start."
            )
        folder = options.output / Path(name).stem if len(options.recipe) > 1 else options.output
        configs[folder] = RunConfig(
            recipe_text=text,
            recipe=recipe,
            split=split or _paper_split(recipe, data, options.seed),
            stages=_select_stages(recipe, options.stage),
            whole_scans=tuple(options.whole_scans),
            seed=options.seed,
            start=options.start,
            workers=options.workers,
        )
    if len(configs) < len(options.recipe):
        raise InputError("Two of the recipes have the same name; train them into different folders.")
    return configs


def _describe_start(config: RunConfig, trained_on: int) -> str:
    """Return a line about a run that starts."""
    validated, tested = len(config.split.validation), len(config.split.test)
    return (
        f"{config.recipe.name}: {trained_on} patients, {validated} for validation, {tested} left out for the test, "
        f"seed {config.seed}"
    )


def _paper_split(recipe: Recipe, data: DataSet, seed: int) -> Split:
    """Draw the split of the recipe's paper, or a tenth for validation and a fifth for the test if there is none."""
    from ..data import split as splits

    paper = recipe.training.split
    if paper is None:
        return splits.make_split(data.patients, seed, validation=0.1, test=0.2)
    train, validation = paper.train, paper.validation
    if paper.folds and not validation:  # one fold of those on which the paper trains
        validation = train / paper.folds
        train -= validation
    return splits.make_paper_split(data.scans_by_patient, seed, train, validation, paper.test)


def _given_split(options: argparse.Namespace, data: DataSet) -> Split | None:
    """Return the split of the file or of the patients that are named; None to draw that of each recipe."""
    from ..data import split_files

    if unknown := sorted(set(options.whole_scans) - set(data.whole_scans)):
        raise InputError(
            f'There is no whole scan "{unknown[0]}"; there are: {", ".join(data.whole_scans) or "none in this data"}.'
        )
    if options.split is not None:
        if options.validation or options.test:
            raise InputError("Give the patients either by --split, or by --validation and --test.")
        return split_files.read_split(options.split, data.patients)
    if not options.validation and not options.test:
        return None
    return _named_split(options, data)


def _named_split(options: argparse.Namespace, data: DataSet) -> Split:
    """Return the split with the patients of --validation and --test, trained on all others."""
    from ..data import split as splits

    held_out = [*(options.validation or ()), *(options.test or ())]
    if unknown := sorted(set(held_out) - set(data.patients)):
        raise InputError(f'There is no patient "{unknown[0]}"; there are: {", ".join(data.patients)}.')
    if repeated := sorted({name for name in held_out if held_out.count(name) > 1}):
        raise InputError(f'The patient "{repeated[0]}" is named twice; name each patient once, to validate or to test.')
    if not options.validation:
        raise InputError("Name validation patients with --validation, too.")
    train = tuple(name for name in data.patients if name not in held_out)
    if not train:
        raise InputError("No patient is left to train on; name fewer patients to validate and to test.")
    split = splits.Split(train, tuple(sorted(options.validation)), tuple(sorted(options.test or ())), options.seed)
    splits.check_distinct_patients(split, "With these --validation and --test")
    return split


def _select_stages(recipe: Recipe, wanted: list[str] | None) -> tuple[str, ...]:
    if unknown := sorted(set(wanted or ()) - set(recipe.stages)):
        raise InputError(f'The recipe {recipe.name} has no stage "{unknown[0]}"; it has {", ".join(recipe.stages)}.')
    return tuple(name for name in recipe.stages if wanted is None or name in wanted)


def _arguments_to_store(options: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments for environment.json, where the folder of the run is called "out"."""
    stored = {name: value for name, value in vars(options).items() if name != "run"}
    return {"out" if name == "output" else name: value for name, value in stored.items()}


def _not_negative(text: str) -> int:
    if text.isdecimal():
        return int(text)
    raise argparse.ArgumentTypeError("a whole number, 0 or more, is needed")


def _positive(text: str) -> int:
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError("a whole number above 0 is needed")
