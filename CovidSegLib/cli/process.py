"""What holds for `covidseg` as a process, from its first line to its exit code. Imports nothing that takes time."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

#: Exit code of a run that was cancelled.
CANCELLED = 3
#: Ctrl-C, a request to terminate, and a closed terminal. Windows does not have the last one.
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def cancel_at_once() -> None:
    """Let signals end the process quietly until a command handles them. Nothing has been done before that.

    A signal that is ignored, as under nohup, stays ignored.
    """
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _cancel)


def use_one_thread_for_small_matrices() -> None:
    """Let numpy multiply matrices in one thread, unless the environment says otherwise. To be called before its import.

    Slices are resampled by products of small matrices, for which more threads cost more than they bring.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def open_standard_streams() -> None:
    """Replace standard streams that were closed by ones that lead nowhere.

    Otherwise the first file that the process opens would take the place of a stream, and receive what libraries print.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


def end(code: int) -> NoReturn:
    """End the process; from now on signals no longer change the exit code."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)


def _cancel(number: int, frame: FrameType | None) -> None:
    os._exit(CANCELLED)
