"""Signals that stop a run: they become `errors.Cancelled`, now or as soon as it is safe."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

from ..errors import Cancelled
from ..progress import Progress
from .process import SIGNALS


class Interrupts:
    """Context manager within which the first signal raises `Cancelled`.

    Further signals are ignored, so that they do not disturb the clean-up. A signal that was ignored before, as under
    nohup or in the background of a shell, stays ignored.

    Attributes:
        requested: Whether the run has been asked to stop.
        committed: Whether the results are being moved into place. From then on the run completes and ignores signals.
    """

    def __init__(self) -> None:
        self.requested = self.committed = False
        self._deferred = False

    def __enter__(self) -> Interrupts:
        earlier = {number: signal.getsignal(number) for number in SIGNALS}
        self._earlier = {number: handler for number, handler in earlier.items() if handler != signal.SIG_IGN}
        for number in self._earlier:
            signal.signal(number, self._interrupt)
        self._unraisable, sys.unraisablehook = sys.unraisablehook, self._ignore_cancelled
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._earlier.items():
            signal.signal(number, handler)
        sys.unraisablehook = self._unraisable

    @contextlib.contextmanager
    def defer(self) -> Iterator[None]:
        """Within the block a signal only sets `requested`; `Cancelled` is raised at its end.

        For the import of large libraries, which takes seconds: if the import of torch is interrupted, Python may abort
        when it exits, with an exit code that means nothing.
        """
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
        if self.requested:
            raise Cancelled

    def checked(self, progress: Progress) -> Progress:
        """Return a progress that also raises `Cancelled` if a library has swallowed the interruption."""

        def report(stage: str, fraction: float) -> None:
            progress(stage, fraction)
            self.committed = fraction >= 1.0
            if self.requested:
                raise Cancelled

        return report

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if not (self.requested or self.committed):
            self.requested = True
            if not self._deferred:
                # Not a KeyboardInterrupt: after one, Python may exit with a code of its own even if it was caught.
                raise Cancelled

    def _ignore_cancelled(self, unraisable: Any) -> None:
        """Suppress the traceback where Python cannot raise, as in destructors; `requested` stops the run instead."""
        if not issubclass(unraisable.exc_type, Cancelled):
            self._unraisable(unraisable)
