"""The command `covidseg`. Exit codes: 0 done, 2 unusable input or arguments, 3 cancelled, 1 anything else."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from . import __version__, models, outputs
from .errors import Cancelled, InputError
from .progress import part
from .reporting import Reporter, reporter

DONE, FAILED, UNUSABLE, CANCELLED = 0, 1, 2, 3
NOTICE = "For research. Not for diagnosis."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with the arguments of the command line, or those given; returns the exit code."""
    options = _parser().parse_args(arguments)
    say = reporter(getattr(options, "progress", None))
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with say:
            options.run(options, say)
    except InputError as error:
        say.error(str(error), UNUSABLE)
        return UNUSABLE
    except (Cancelled, KeyboardInterrupt):
        say.error("Cancelled; nothing was written.", CANCELLED)
        return CANCELLED
    except MemoryError:
        say.error("There is not enough memory for this CT; close other programs, or use a machine with more.", FAILED)
        return FAILED
    except Exception as error:
        traceback.print_exc()
        say.error(f"CovidSeg failed unexpectedly ({type(error).__name__}); please report the messages above.", FAILED)
        return FAILED
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="covidseg", description=f"Lungs and COVID-19 infection in chest CT. {NOTICE}"
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    segment = commands.add_parser(
        "segment", help="segment a chest CT", description=f"From a chest CT to masks, surfaces and numbers. {NOTICE}"
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
    segment.add_argument("--model", help="name of an installed model; see `covidseg models`")
    segment.add_argument("--device", default="auto", help="auto (the default), cpu or cuda")
    segment.add_argument(
        "--threshold", type=_probability, help="probability from which a voxel is infection (default: the model's)"
    )
    segment.add_argument(
        "--skip", action="append", default=[], choices=sorted(outputs.GROUPS), help="leave these files out (repeatable)"
    )
    segment.add_argument("--progress", choices=["bar", "json", "none"], help="how to show progress")
    segment.set_defaults(run=_segment)

    listing = commands.add_parser("models", help="list the installed models")
    listing.set_defaults(run=_models)
    return parser


def _segment(options: argparse.Namespace, say: Reporter) -> None:
    """`covidseg segment`."""
    if options.demo == (options.input is not None):
        raise InputError("Give either the path of a CT or --demo.")
    outputs.prepare(options.output, overwrite=options.overwrite)
    model = models.find(options.model)
    say("Reading the CT", 0.0)
    if options.demo:
        from .phantom import make_phantom

        say.warning("This is a synthetic chest CT that CovidSeg made itself, not a patient's.")
        volume = make_phantom().volume
    else:
        from .reading import read_volume

        window = tuple(options.window) if options.window else None
        volume = read_volume(options.input, series=options.series, window=window)
    say("Starting the engine", 0.06)
    from .pipeline import segment  # torch takes seconds to load: wrong input is told before

    segmentation = segment(
        volume, model, device=options.device, threshold=options.threshold, progress=part(say, 0.1, 0.75)
    )
    for warning in dict.fromkeys(segmentation.warnings):
        say.warning(warning)
    files = outputs.write_results(
        options.output,
        volume,
        segmentation,
        skip=options.skip,
        overwrite=options.overwrite,
        progress=part(say, 0.75, 1.0),
    )
    say.done(options.output, files)


def _models(options: argparse.Namespace, say: Reporter) -> None:
    """`covidseg models`."""
    for model in models.installed():
        default = " (default)" if model.name == models.DEFAULT else ""
        print(f"{model.name}{default}: {model.title}. {model.summary}")
        print(f"    licence: {model.card['licence']}")
        print(f"    {model.weights}, {model.weights.stat().st_size / 1e6:.1f} MB")


def _probability(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0.0 < float(text) < 1.0:
            return float(text)
    raise argparse.ArgumentTypeError("a number between 0 and 1 is needed")


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """SIGTERM ends a run as Ctrl-C does, so that partial files are removed."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
