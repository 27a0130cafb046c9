"""Run `covidseg` and end it with SIGKILL at a given moment: python dying.py MOMENT NUMBER ARGUMENTS ...

MOMENT is "half" (half of a file is written), "written" (a file is written but not renamed), or "renamed". NUMBER counts
such moments from 1; "half:NAME" counts only files whose name begins with NAME. The files are those that
`CovidSegLib.storage.atomic` writes.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from CovidSegLib.cli import main as cli


def kill_in_call(number: int, function: Callable, before: Callable[..., object], name: str = "") -> Callable:
    """Wrap a function: its call with that number calls `before` instead and ends the process.

    If `name` is given, only calls with a path whose name begins with it are counted.
    """
    calls = iter(range(1, 1_000_000))

    def wrapped(*arguments: Any) -> object:
        if (not name or arguments[0].name.startswith(name)) and next(calls) == number:
            before(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments)

    return wrapped


def write_half(path: Path, data: Any) -> None:
    """Write the first half of a file."""
    with path.open("wb") as file:
        file.write(bytes(data)[: len(data) // 2])


if __name__ == "__main__":
    moment, number = sys.argv[1], int(sys.argv[2])
    moment, _, name = moment.partition(":")
    if moment == "half":
        Path.write_bytes = kill_in_call(number, Path.write_bytes, write_half, name)  # type: ignore[method-assign]
    elif moment == "written":
        os.fsync = kill_in_call(number, os.fsync, lambda handle: None)
    elif moment == "renamed":
        replace = Path.replace
        Path.replace = kill_in_call(number, replace, replace)  # type: ignore[method-assign, assignment]
    else:
        sys.exit(f"unknown moment: {moment}")
    sys.exit(cli.main(sys.argv[3:]))
