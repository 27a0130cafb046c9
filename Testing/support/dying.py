"""`covidseg` that ends itself with kill -9 at a moment that is told: python dying.py MOMENT NUMBER ARGUMENTS ...

MOMENT is "half" of a file written, "written" but without its name, or "renamed"; NUMBER counts such moments from 1. The
file is one of those that `CovidSegLib.training.checkpoint` writes whole.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from CovidSegLib.cli import main as cli


def dies(number: int, function: Callable, before: Callable[..., object]) -> Callable:
    """The function, in whose call of that number `before` is done in its place and the process ends."""
    calls = iter(range(1, 1_000_000))

    def wrapped(*arguments: Any) -> object:
        if next(calls) == number:
            before(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments)

    return wrapped


def half(path: Path, data: Any) -> None:
    """Write half of a file, for all to see."""
    with path.open("wb") as file:
        file.write(bytes(data)[: len(data) // 2])


if __name__ == "__main__":
    moment, number = sys.argv[1], int(sys.argv[2])
    if moment == "half":
        Path.write_bytes = dies(number, Path.write_bytes, half)  # type: ignore[method-assign]
    elif moment == "written":
        os.fsync = dies(number, os.fsync, lambda handle: None)
    elif moment == "renamed":
        replace = Path.replace
        Path.replace = dies(number, replace, replace)  # type: ignore[method-assign, assignment]
    else:
        sys.exit(f"no such moment: {moment}")
    sys.exit(cli.main(sys.argv[3:]))
