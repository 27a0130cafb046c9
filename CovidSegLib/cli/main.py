"""The command `covidseg`: its parser, its exit codes, and the sentences that users see in place of tracebacks."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn, Protocol

from .. import __version__
from ..errors import Cancelled, InputError
from ..notices import NOT_FOR_DIAGNOSIS
from . import data, evaluate, models, recipes, segment, train
from .interrupts import SIGNALS, Interrupts
from .reporter import make_reporter
from .session import Session

#: Exit codes: success, an unexpected error, unusable input or arguments, and a run that was cancelled.
DONE, FAILED, UNUSABLE, CANCELLED = 0, 1, 2, 3


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
    "train": train,
    "evaluate": evaluate,
    "data": data,
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
    parser = _parser()
    options = parser.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # paths may hold characters that the terminal lacks
    if options.run is None:
        parser.print_help()
        return UNUSABLE
    interrupts = Interrupts()
    try:
        with interrupts, make_reporter(getattr(options, "progress", None)) as reporter:
            return _run(Session(options, reporter, interrupts))
    except (BrokenPipeError, Cancelled):
        # The reader of standard output is gone, and Python must not try to flush the rest when it exits.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE if interrupts.committed else CANCELLED


def program() -> NoReturn:
    """Run `covidseg` as a process; once the command has ended, signals no longer change the exit code."""
    code = main()
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)


def _run(session: Session) -> int:
    """Run the command of a session, report how it failed if it did, and return the exit code."""
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
        elif isinstance(error, MemoryError) or "allocate memory" in str(error):  # the latter is PyTorch's
            code, message = FAILED, "There is not enough memory; close other programs and try again."
        else:
            import traceback  # slow to import, and `covidseg --help` imports this module

            traceback.print_exc()
            name = type(error).__name__
            code, message = FAILED, f"CovidSeg failed unexpectedly ({name}); please report the messages above."
    session.reporter.error(message, code)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
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
