"""The command `covidseg`: its parser, its exit codes, and the sentences that users see in place of tracebacks."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol

from .. import __version__
from ..errors import Cancelled, GpuMemoryError, InputError
from ..notices import NOT_FOR_DIAGNOSIS
from . import batch, cohort, data, devices, dicom, evaluate, follow_up, models, recipes, report, segment, train
from .interrupts import Interrupts
from .printing import discard, print_error, print_text
from .process import CANCELLED
from .reporter import make_reporter
from .session import Session

#: Exit codes: success, an unexpected error, unusable input or arguments. For a cancelled run see `process`.
DONE, FAILED, UNUSABLE = 0, 1, 2
#: What PyTorch, and the loader of compiled modules, report when memory runs out.
OUT_OF_MEMORY = ("allocate memory", "failed to map segment", "could not create a primitive")


class Parser(argparse.ArgumentParser):
    """Accepts no empty values, and prints with escapes in place of control characters."""

    def _get_value(self, action: argparse.Action, arg_string: str) -> object:
        # Such as "$OUT" in a script. As a path it would mean the working directory.
        if action.nargs != argparse.PARSER and not arg_string.strip():
            raise argparse.ArgumentError(action, "a value is needed, but it is empty")
        return super()._get_value(action, arg_string)

    def _print_message(self, message: str, file: object = None) -> None:
        if message:
            (print_text if file is sys.stdout else print_error)(message, end="")


class Command(Protocol):
    """A module of this package that holds one command.

    Attributes:
        SUMMARY: Its line in the help of `covidseg`.
        DESCRIPTION: The first paragraph of its own help.
    """

    SUMMARY: str
    DESCRIPTION: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the arguments of the command to its parser."""

    def run(self, session: Session) -> None:
        """Run the command.

        Raises:
            InputError: The arguments or the input cannot be used.
            Cancelled: The user has stopped the run.
        """


COMMANDS: Mapping[str, Command] = {
    "segment": segment,
    "batch": batch,
    "cohort": cohort,
    "follow-up": follow_up,
    "report": report,
    "train": train,
    "evaluate": evaluate,
    "data": data,
    "dicom": dicom,
    "devices": devices,
    "models": models,
    "recipes": recipes,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `covidseg`.

    Args:
        arguments: Arguments of the command line; those of this process if None.

    Returns:
        The exit code.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # paths may hold characters that the terminal lacks
    parser = _parser()
    interrupts = Interrupts()
    try:
        options = parser.parse_args(arguments)
        if options.run is None:
            parser.print_help()
            return UNUSABLE
        with interrupts, make_reporter(getattr(options, "progress", None)) as reporter:
            return _run(Session(options, reporter, interrupts))
    except InputError as error:  # the help cannot be printed
        print_error(str(error))
        return UNUSABLE
    except (BrokenPipeError, Cancelled):
        discard(sys.stdout)  # its reader is gone
        return DONE if interrupts.committed else CANCELLED


def _run(session: Session) -> int:
    """Run the command of a session, report how it failed if it did, and return the exit code."""
    kind = None
    try:
        session.options.run(session)
        return DONE
    except BrokenPipeError:
        raise
    except (Exception, Cancelled) as error:
        # A library that is interrupted while it is imported may raise an error of its own.
        if session.interrupts.requested or isinstance(error, Cancelled):
            code, message = CANCELLED, session.on_cancel
        elif isinstance(error, InputError):
            code, message = UNUSABLE, str(error)
            kind = "gpu_memory" if isinstance(error, GpuMemoryError) else None
        elif isinstance(error, MemoryError) or any(text in str(error) for text in OUT_OF_MEMORY):
            code, message = FAILED, "There is not enough memory; close other programs and try again."
        else:
            import traceback  # slow to import, and `covidseg --help` imports this module

            print_error(traceback.format_exc(), end="")
            name = type(error).__name__
            code, message = FAILED, f"CovidSeg failed unexpectedly ({name}); please report the messages above."
    session.reporter.error(message, code, kind)
    return code


def _parser() -> Parser:
    parser = Parser(
        prog="covidseg",
        description=f"Segment lungs and COVID-19 infection in chest CT. {NOT_FOR_DIAGNOSIS}",
        epilog="See `covidseg COMMAND --help` for the options of a command.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(metavar="COMMAND")
    for name, command in COMMANDS.items():
        subparser = commands.add_parser(name, help=command.SUMMARY, description=command.DESCRIPTION)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser
