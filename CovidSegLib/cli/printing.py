"""The only place where commands print: what reaches the terminal is printable and of limited length."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from typing import TextIO

from ..errors import InputError
from ..printable import printable_lines

#: Longer lines and longer messages are cut. The longest honest message lists the series of a folder.
LONGEST_LINE, MOST_LINES = 2000, 200
ELLIPSIS = "..."


def print_text(text: str = "", *, end: str = "\n") -> None:
    """Print to standard output, with escapes in place of control characters.

    Raises:
        BrokenPipeError: The program that reads the output has ended.
        InputError: The output cannot be written, as when it goes to a file on a full disk.
    """
    try:
        _write(text + end, sys.stdout)
    except BrokenPipeError:
        raise
    except OSError as error:
        discard(sys.stdout)
        raise InputError(
            f"The output of the command cannot be written ({error.strerror or error}). Free some space, or send the "
            "output elsewhere."
        ) from error


def print_error(text: str, *, end: str = "\n") -> None:
    """Print to standard error like `print_text`. If that is closed the text is lost, and the run goes on."""
    try:
        _write(text + end, sys.stderr)
    except (OSError, ValueError):
        discard(sys.stderr)


def as_message(text: str) -> str:
    """Return a message of limited length in which only line breaks before indented lines, as in lists, are kept.

    So no name of a file can look like a message of its own.
    """
    lines = re.sub(r"\n(?!  )", r"\\n", text).split("\n")
    more = [f"  {ELLIPSIS} and {len(lines) - MOST_LINES} more lines"] if len(lines) > MOST_LINES else []
    return printable_lines("\n".join([*map(cut, lines[:MOST_LINES]), *more]))


def cut(line: str, length: int = LONGEST_LINE) -> str:
    """Return a line that is no longer than `length`, with an ellipsis at its end if it is cut."""
    return line if len(line) <= length else line[: max(length - len(ELLIPSIS), 0)] + ELLIPSIS[:length]


def discard(stream: TextIO | None) -> None:
    """Send what is still in the buffer of a stream nowhere, or Python would fail to write it when it exits."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # type: ignore[union-attr]
        os.close(nowhere)


def _write(text: str, stream: TextIO | None) -> None:
    if stream is not None:  # programs with a window on Windows have none
        stream.write(printable_lines(text))
        stream.flush()
