"""`covidseg train`: recipes and data to runs, each a folder that ends as a model."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from .. import models
from ..errors import InputError
from ..progress import Progress, silent, subprogress
from .reporter import Reporter

if TYPE_CHECKING:
    from ..data import DataSet
    from ..data.split import Split
    from ..recipe import Recipe

#: How a training is cancelled.
KEPT = "Cancelled; the same command with --resume goes on from the last whole epoch."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        "recipe", nargs="+", metavar="RECIPE", help="name of a recipe or path of its .toml; several make several runs"
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DATA", help="folder of scans with masks")
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        required=True,
        metavar="RUN",
        help="folder of the run; of all runs of several recipes",
    )
    parser.add_argument("--ablation", metavar="ROW", help="train the networks of this row of the paper's ablation")
    parser.add_argument("--split", type=Path, metavar="FILE", help="who trains, validates and tests: a file")
    parser.add_argument("--validation", nargs="+", metavar="PATIENT", help="patients to validate on, for no file")
    parser.add_argument("--test", nargs="+", metavar="PATIENT", help="patients to leave alone, for no file")
    parser.add_argument(
        "--whole-scans", nargs="+", default=[], metavar="SCAN", help="scans whose slices without infection are used too"
    )
    parser.add_argument("--stage", action="append", help="only this stage: lungs or infection (repeatable)")
    parser.add_argument("--start", type=Path, metavar="RUN", help="finished run whose weights are the start")
    parser.add_argument("--seed", type=_not_negative, default=0, help="of weights, order and augmentation (default: 0)")
    parser.add_argument("--epochs", type=_positive, help="of every stage, in place of the recipe's")
    parser.add_argument(
        "--workers", type=_not_negative, default=2, help="processes that prepare images, or 0 (default: 2)"
    )
    parser.add_argument("--resume", action="store_true", help="go on with runs that were broken off")
    parser.add_argument("--device", default="auto", help="auto (the default), cpu or cuda")
    parser.add_argument("--progress", choices=["bar", "json", "none"], help="how to show progress")


def run(
    options: argparse.Namespace,
    say: Reporter,
    watch: Callable[[Progress], Progress],
    held: Callable[[], AbstractContextManager[None]],
) -> None:
    """Train, and say where the runs are.

    Args:
        options: Of `add_arguments`.
        say: Told the epochs and the end.
        watch: Makes a progress one that raises Cancelled to stop.
        held: While libraries load, and within a step of training, an interruption waits.

    Raises:
        InputError: The arguments or the data cannot be used.
        Cancelled: The run can be gone on with.
    """
    with held():
        from .. import recipes
        from ..data import open_data
        from ..data.licences import terms_of
        from ..inference.devices import choose_device
        from ..runs import run as training

    alone = int(os.environ.get("RANK", "0")) == 0  # of the processes that torchrun started, the first one speaks
    device = choose_device(options.device)
    data = open_data(options.data)
    split = _split(options, data)
    plans = {}
    for name in options.recipe:
        changes = recipes.epoch_changes(name, options.ablation, options.epochs)
        text = recipes.resolved_toml(name, options.ablation, changes)
        recipe = recipes.parse(text, name)
        plan = training.RunConfig(
            text,
            recipe,
            split,
            _stages(recipe, options.stage),
            tuple(options.whole_scans),
            options.seed,
            options.start,
            options.workers,
        )
        out = options.out / Path(name).stem if len(options.recipe) > 1 else options.out
        if alone and recipe.training.starts_from and options.start is None:
            say.warning(f"The paper starts {recipe.name} from {recipe.training.starts_from}: give its run by --start.")
        plans[out] = plan
    if len(plans) < len(options.recipe):
        raise InputError("Two of the recipes have one and the same name; train them into different folders.")
    if alone:
        for out, plan in plans.items():
            training.prepare_run(out, plan, resume=options.resume)
    options.cancelled = KEPT
    train = data.cases(split.train) + [data.clean_slices(name) for name in options.whole_scans]
    validation = data.cases(split.validation)
    with held():  # broken off between two steps, and not somewhere within torch or its other processes
        for number, (out, plan) in enumerate(plans.items()):
            if alone:
                say.line(f"{plan.recipe.name}: {len({case.patient for case in train})} patients, seed {plan.seed}")
            training.train_run(
                out,
                plan,
                train,
                validation,
                terms=terms_of(data.layout, whole_scans=bool(options.whole_scans)),
                resume=True,
                device=device,
                log=say.line,
                arguments={name: value for name, value in vars(options).items() if name not in ("run", "cancelled")},
                progress=watch(subprogress(say if alone else silent, number / len(plans), (number + 1) / len(plans))),
            )
    if alone:
        say.done(options.out, [out / models.WEIGHTS_FILE for out in plans])


def _split(options: argparse.Namespace, data: DataSet) -> Split:
    """Who trains: as the file says, as the arguments say, or drawn by the seed."""
    from ..data import split as splits

    if unknown := sorted(set(options.whole_scans) - set(data.whole_scans)):
        raise InputError(
            f"There is no whole scan “{unknown[0]}”; there are: {', '.join(data.whole_scans) or 'none in this data'}."
        )
    if options.split is not None:
        if options.validation or options.test:
            raise InputError("Give the patients by --split, or by --validation and --test, and not by both.")
        return splits.read(options.split, data.patients)
    if not options.validation and not options.test:
        return splits.make_split(data.patients, options.seed, validation=0.1, test=0.2)
    left_out = [*(options.validation or ()), *(options.test or ())]
    if unknown := sorted(set(left_out) - set(data.patients)):
        raise InputError(f"There is no patient “{unknown[0]}”; there are: {', '.join(data.patients)}.")
    if twice := sorted({name for name in left_out if left_out.count(name) > 1}):
        raise InputError(f"The patient “{twice[0]}” is named twice; a patient validates or tests.")
    if not options.validation:
        raise InputError("Name patients to validate on by --validation, too.")
    train = tuple(name for name in data.patients if name not in left_out)
    if not train:
        raise InputError("No patient is left to train on; name fewer to validate and to test.")
    split = splits.Split(train, tuple(sorted(options.validation)), tuple(sorted(options.test or ())), options.seed)
    splits.check_people(split, "With these --validation and --test")
    return split


def _stages(recipe: Recipe, wanted: list[str] | None) -> tuple[str, ...]:
    if unknown := sorted(set(wanted or ()) - set(recipe.stages)):
        raise InputError(f"The recipe {recipe.name} has no stage “{unknown[0]}”; it has {', '.join(recipe.stages)}.")
    return tuple(name for name in recipe.stages if wanted is None or name in wanted)


def _not_negative(text: str) -> int:
    if text.isdecimal():
        return int(text)
    raise argparse.ArgumentTypeError("a whole number, 0 or more, is needed")


def _positive(text: str) -> int:
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError("a whole number above 0 is needed")
