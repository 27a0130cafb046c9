"""How a command reports: a progress bar for people, or JSON lines for programs such as the Slicer panel."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import InputError
from ..notices import NOT_FOR_DIAGNOSIS
from ..storage.disk_errors import FULL
from .printing import as_message, discard, print_error, print_text


class Reporter:
    """Receives the progress, warnings, errors and the end of a run.

    It is a `progress.Progress`. This one shows no progress, and prints everything else as text. What messages contain
    from files and their names is made printable.
    """

    def __enter__(self) -> Reporter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    def __call__(self, stage: str, fraction: float) -> None:
        """Show the current stage and the fraction of the run that is done."""

    def warning(self, message: str) -> None:
        """Report something that the user should know about the result."""
        print_error(as_message(f"Note: {message}"))

    def line(self, message: str) -> None:
        """Report an event of the run, such as a finished training epoch."""
        print_text(as_message(message))

    def done(self, output: Path, files: Sequence[Path]) -> None:
        """Report that all files are written to `output`."""
        print_text(as_message(f"Done: {len(files)} files in {output}. {NOT_FOR_DIAGNOSIS}"))

    def error(self, message: str, exit_code: int, kind: str | None = None) -> None:
        """Report why the run ends without a result. `kind` is "gpu_memory" if the CPU could do the same work."""
        print_error(as_message(message))


class ProgressBar(Reporter):
    """Shows a progress bar with the stage and the time left, as long as standard error is open."""

    def __init__(self) -> None:
        from tqdm import tqdm  # imported here because Slicer, which uses JsonLines, may not have it

        shape = "{desc:<28} {percentage:3.0f}% |{bar}| {remaining} left"
        # The delay lets it draw nothing yet, which may fail.
        self.bar = tqdm(total=1.0, leave=False, dynamic_ncols=True, bar_format=shape, delay=1e-9)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with _lenient():
            self.bar.close()

    def __call__(self, stage: str, fraction: float) -> None:
        with _lenient():
            self.bar.n = max(self.bar.n, fraction)  # not update(), which skips refreshes
            self.bar.set_description_str(stage)

    def warning(self, message: str) -> None:
        with _lenient(), self.bar.external_write_mode():
            super().warning(message)

    def line(self, message: str) -> None:
        with self.bar.external_write_mode():
            super().line(message)

    def done(self, output: Path, files: Sequence[Path]) -> None:
        with _lenient():
            self.bar.close()
        super().done(output, files)

    def error(self, message: str, exit_code: int, kind: str | None = None) -> None:
        with _lenient():
            self.bar.close()
        super().error(message, exit_code)


@contextlib.contextmanager
def _lenient() -> Iterator[None]:
    """Go on if standard error cannot be written; what else goes there is lost."""
    try:
        yield
    except OSError:
        discard(sys.stderr)


class JsonLines(Reporter):
    """Writes one JSON object per line to standard output.

    The key "event" is "progress", "warning", "line", "done" or "error". Within the `with` block everything else that is
    printed to standard output, by Python or by libraries written in C, goes to standard error.
    """

    def __init__(self) -> None:
        self.started = time.monotonic()

    def __enter__(self) -> JsonLines:
        sys.stdout.flush()
        self.events = open(os.dup(1), "w", encoding="ascii")  # noqa: PTH123
        os.dup2(2, 1)  # libraries written in C write to the file descriptor
        self._python = contextlib.redirect_stdout(sys.stderr)
        self._python.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._python.__exit__(kind, error, at)
        os.dup2(self.events.fileno(), 1)
        with contextlib.suppress(OSError):
            self.events.close()

    def __call__(self, stage: str, fraction: float) -> None:
        elapsed = time.monotonic() - self.started
        # An estimate from less of the run is far off.
        left = round(elapsed * (1 - fraction) / fraction, 1) if fraction > 0.12 else None
        self._emit(event="progress", stage=stage, fraction=round(fraction, 4), seconds_left=left)

    def warning(self, message: str) -> None:
        self._emit(event="warning", message=as_message(message))

    def line(self, message: str) -> None:
        self._emit(event="line", message=as_message(message))

    def done(self, output: Path, files: Sequence[Path]) -> None:
        self._emit(event="done", output=str(output), files=[file.name for file in files])

    def error(self, message: str, exit_code: int, kind: str | None = None) -> None:
        try:
            extra = {"kind": kind} if kind else {}
            self._emit(event="error", message=as_message(message), exit_code=exit_code, **extra)
        except InputError:
            super().error(message, exit_code)

    def _emit(self, **event: Any) -> None:
        try:
            print(json.dumps(event), file=self.events, flush=True)
        except OSError as error:
            if error.errno in FULL:
                raise InputError(
                    "The disk is full: the events of the run cannot be written. Free some space."
                ) from error
            raise BrokenPipeError from error  # Windows raises another one for a closed pipe


def make_reporter(kind: str | None) -> Reporter:
    """Return the reporter for "bar", "json" or "none"; for None, a bar if standard error is a terminal."""
    if kind == "json":
        return JsonLines()
    if kind == "bar" or (kind is None and sys.stderr is not None and sys.stderr.isatty()):
        return ProgressBar()
    return Reporter()
