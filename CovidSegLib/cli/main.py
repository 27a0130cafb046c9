"""The command `covidseg`. Exit codes: 0 done, 2 unusable input or arguments, 3 cancelled, 1 anything else."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from .. import __version__, models
from ..errors import Cancelled, InputError
from ..notices import NOT_FOR_DIAGNOSIS
from ..progress import Progress, subprogress
from . import data
from . import evaluate as evaluation
from . import models as shelf
from . import train as training
from .reporter import Reporter, reporter

DONE, FAILED, UNUSABLE, CANCELLED = 0, 1, 2, 3
#: Ctrl-C, what ends processes, and a terminal that is closed; Windows lacks the last.
STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
#: The keys of outputs.GROUPS, which takes half a second to load.
SKIPPABLE = ("overview", "surfaces")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with the arguments of the command line, or those given; returns the exit code."""
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a path may hold what the terminal does not
    stop = Stop()
    try:
        with stop, reporter(getattr(options, "progress", None)) as say:
            return _run(options, say, stop)
    except (BrokenPipeError, Cancelled):
        # Whoever read what this prints is gone; Python must not try to print the rest at its end.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE if stop.too_late else CANCELLED


def program() -> NoReturn:
    """The process `covidseg`: once it has ended, a signal does not change its exit code."""
    code = main()
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)


def _run(options: argparse.Namespace, say: Reporter, stop: Stop) -> int:
    """Run the command and say how it ended; returns the exit code."""
    try:
        options.run(options, say, stop)
        return DONE
    except BrokenPipeError:
        raise
    except (Exception, Cancelled) as error:
        # A library that is interrupted while it loads may raise something of its own.
        if stop.asked or isinstance(error, Cancelled):
            code, message = CANCELLED, getattr(options, "cancelled", "Cancelled; nothing was written.")
        elif isinstance(error, InputError):
            code, message = UNUSABLE, str(error)
        elif isinstance(error, MemoryError) or "allocate memory" in str(error):  # the latter is torch's
            code, message = FAILED, "There is not enough memory; close other programs and try again."
        else:
            traceback.print_exc()
            name = type(error).__name__
            code, message = FAILED, f"CovidSeg failed unexpectedly ({name}); please report the messages above."
    say.error(message, code)
    return code


class Stop:
    """The STOPPING signals end a run once, so that the tidying up after it is not interrupted.

    Attributes:
        asked: Somebody wants the run to end.
        too_late: The results are being put in their place; the run is not stopped any more.
    """

    def __init__(self) -> None:
        self.asked = self.too_late = False
        self._held = False

    def __enter__(self) -> Stop:
        earlier = {number: signal.getsignal(number) for number in STOPPING}
        # Ignored are those of a run with nohup or in the background.
        self._earlier = {number: handler for number, handler in earlier.items() if handler != signal.SIG_IGN}
        for number in self._earlier:
            signal.signal(number, self._interrupt)
        self._unraisable, sys.unraisablehook = sys.unraisablehook, self._swallowed
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._earlier.items():
            signal.signal(number, handler)
        sys.unraisablehook = self._unraisable

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if not (self.asked or self.too_late):
            self.asked = True
            if not self._held:
                raise Cancelled  # after a KeyboardInterrupt Python may end with a code of its own, even if caught

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """While libraries load, which takes seconds: a signal ends the run at the end of the block, not within it.

        Where torch was broken off in the middle of loading, Python can abort when it ends, with an exit code that says
        nothing.
        """
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self.asked:
            raise Cancelled

    def _swallowed(self, unraisable: Any) -> None:
        """Where Python cannot raise (while it frees objects), `asked` ends the run instead, without a traceback."""
        if not issubclass(unraisable.exc_type, Cancelled):
            self._unraisable(unraisable)

    def watch(self, progress: Progress) -> Progress:
        """The same progress; ends the run where a library swallowed the interruption."""

        def report(stage: str, fraction: float) -> None:
            progress(stage, fraction)
            self.too_late = fraction >= 1.0
            if self.asked:
                raise Cancelled

        return report


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="covidseg", description=f"Lungs and COVID-19 infection in chest CT. {NOT_FOR_DIAGNOSIS}"
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    segment = commands.add_parser(
        "segment",
        help="segment a chest CT",
        description=f"From a chest CT to masks, surfaces and numbers. {NOT_FOR_DIAGNOSIS}",
    )
    segment.add_argument(
        "input", type=Path, nargs="?", metavar="INPUT", help="DICOM folder, .nii, .nii.gz, .nrrd, .mha or .mhd file"
    )
    segment.add_argument("--demo", action="store_true", help="segment a synthetic chest CT in place of INPUT")
    segment.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="folder for the results")
    segment.add_argument("--overwrite", action="store_true", help="replace earlier results in OUT")
    segment.add_argument("--series", help="the DICOM series, by its number or the end of its UID")
    segment.add_argument(
        "--window", type=float, nargs=2, metavar=("LOW", "HIGH"), help="HU that 0 and 255 mean in an 8-bit image"
    )
    network = segment.add_mutually_exclusive_group()
    network.add_argument(
        "--model", help="name of an installed model, or folder of a finished run; see `covidseg models`"
    )
    network.add_argument(
        "--recipe", help="run a recipe without trained weights, to see that it runs; see `covidseg recipes`"
    )
    segment.add_argument("--ablation", metavar="ROW", help="of --recipe: the networks of a row of its paper's ablation")
    segment.add_argument("--device", default="auto", help="auto (the default), cpu or cuda")
    segment.add_argument(
        "--threshold", type=_probability, help="probability from which a voxel is infection (default: the model's)"
    )
    segment.add_argument(
        "--skip", action="append", default=[], choices=SKIPPABLE, help="leave these files out (repeatable)"
    )
    segment.add_argument("--progress", choices=["bar", "json", "none"], help="how to show progress")
    segment.set_defaults(run=_segment)

    train = commands.add_parser(
        "train", help="train recipes", description=f"From scans with masks to models of one's own. {NOT_FOR_DIAGNOSIS}"
    )
    training.add_arguments(train)
    train.set_defaults(run=_train)

    evaluate = commands.add_parser(
        "evaluate",
        help="measure models on scans with masks",
        description=f"Tables and pictures of how well models find lungs and infection. {NOT_FOR_DIAGNOSIS}",
    )
    evaluation.add_arguments(evaluate)
    evaluate.set_defaults(run=_evaluate)

    sets = commands.add_parser(
        "data",
        help="download, check, look at and split data sets",
        description="Data sets to learn from and to measure on: downloaded, checked, looked at, split by patient.",
    )
    data.add_arguments(sets)
    sets.set_defaults(run=_data)

    listing = commands.add_parser(
        "models",
        help="list, verify, install and remove models",
        description="What is installed and whether it is whole; models put in place, removed and passed on.",
    )
    shelf.add_arguments(listing)
    listing.set_defaults(run=_models)

    listing = commands.add_parser(
        "recipes",
        help="list the recipes: published systems and baselines",
        description="List the recipes, or show one.",
    )
    listing.add_argument("action", nargs="?", choices=["show"], help="print one recipe")
    listing.add_argument("name", nargs="?", metavar="NAME", help="which")
    listing.add_argument("--resolved", action="store_true", help="with what it takes from the recipe that it is like")
    listing.add_argument("--ablation", metavar="ROW", help="the row of its paper's ablation, with --resolved")
    listing.set_defaults(run=_recipes)
    return parser


def _segment(options: argparse.Namespace, say: Reporter, stop: Stop) -> None:
    """`covidseg segment`."""
    if options.demo == (options.input is not None):
        raise InputError("Give either the path of a CT or --demo.")
    progress = stop.watch(say)
    progress("Starting", 0.0)
    with stop.held():
        from .. import outputs  # takes half a second

    outputs.prepare(options.output, overwrite=options.overwrite)
    model = _chosen_model(options)
    progress("Reading the CT", 0.02)
    if options.demo:
        from ..phantom import make_phantom

        say.warning("This is a synthetic chest CT that CovidSeg made itself, not a patient's.")
        volume = make_phantom().volume
    else:
        from ..reading import read_volume

        window = tuple(options.window) if options.window else None
        volume = read_volume(options.input, series=options.series, window=window)
    progress("Starting the engine", 0.06)
    with stop.held():
        from ..pipeline import segment  # torch takes seconds to load: wrong input is told before

    segmentation = segment(
        volume, model, device=options.device, threshold=options.threshold, progress=subprogress(progress, 0.1, 0.75)
    )
    for warning in dict.fromkeys(segmentation.warnings):
        say.warning(warning)
    files = outputs.write_results(
        options.output,
        volume,
        segmentation,
        skip=options.skip,
        overwrite=options.overwrite,
        progress=subprogress(progress, 0.75, 1.0),
    )
    say.done(options.output, files)


def _chosen_model(options: argparse.Namespace) -> models.Model:
    if options.ablation is not None and options.recipe is None:
        raise InputError("An ablation is of a recipe: give --recipe with --ablation.")
    if options.recipe is None:
        return models.find_model(options.model)
    from ..models.untrained import untrained_model

    return untrained_model(options.recipe, options.ablation)


def _train(options: argparse.Namespace, say: Reporter, stop: Stop) -> None:
    """`covidseg train`."""
    training.run(options, say, stop.watch, stop.held)


def _evaluate(options: argparse.Namespace, say: Reporter, stop: Stop) -> None:
    """`covidseg evaluate`."""
    evaluation.run(options, say, stop.watch(say), stop.held)


def _data(options: argparse.Namespace, say: Reporter, stop: Stop) -> None:
    """`covidseg data`."""
    data.run(options, say, stop.watch(say), stop.held)


def _models(options: argparse.Namespace, say: Reporter, stop: Stop) -> None:
    """`covidseg models`."""
    shelf.run(options, stop.held)


def _recipes(options: argparse.Namespace, say: Reporter, stop: Stop) -> None:
    """`covidseg recipes`."""
    from .. import recipes

    if (options.action is None) != (options.name is None) or (options.resolved and options.action is None):
        raise InputError("Give the name of the recipe to show: covidseg recipes show NAME.")
    if options.ablation and not options.resolved:
        raise InputError("A row of an ablation has no file of its own: give --resolved with --ablation.")
    if options.resolved:
        print(recipes.resolved_toml(options.name, options.ablation), end="")
        return
    if options.action == "show":
        recipes.load(options.name)  # a wrong one is told and not printed
        print(recipes.find(options.name).read_text(encoding="utf-8"), end="")
        return
    with stop.held():
        from ..recipes.listing import describe
    for name in recipes.names():
        print(describe(recipes.load(name)), flush=True)


def _probability(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0.0 < float(text) < 1.0:
            return float(text)
    raise argparse.ArgumentTypeError("a number between 0 and 1 is needed")


if __name__ == "__main__":
    program()
