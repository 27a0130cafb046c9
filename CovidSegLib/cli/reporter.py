"""How a command reports: a progress bar for people, or JSON lines for programs such as the Slicer panel."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from ..notices import NOT_FOR_DIAGNOSIS


class Reporter:
    """Receives the progress, warnings, errors and the end of a run.

    It is a `progress.Progress`. This one shows no progress, and prints everything else as text.
    """

    def __enter__(self) -> Reporter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    def __call__(self, stage: str, fraction: float) -> None:
        """Show the current stage and the fraction of the run that is done."""

    def warning(self, message: str) -> None:
        """Report something that the user should know about the result."""
        print(f"Note: {message}", file=sys.stderr)

    def line(self, message: str) -> None:
        """Report an event of the run, such as a finished training epoch."""
        print(message, flush=True)

    def done(self, output: Path, files: Sequence[Path]) -> None:
        """Report that all files are written to `output`."""
        print(f"Done: {len(files)} files in {output}. {NOT_FOR_DIAGNOSIS}", flush=True)

    def error(self, message: str, exit_code: int) -> None:
        """Report why the run ends without a result."""
        print(message, file=sys.stderr)


class ProgressBar(Reporter):
    """Shows a progress bar with the stage and the time left."""

    def __init__(self) -> None:
        shape = "{desc:<28} {percentage:3.0f}% |{bar}| {remaining} left"
        from tqdm import tqdm  # imported here because Slicer, which uses JsonLines, may not have it

        self.bar = tqdm(total=1.0, leave=False, dynamic_ncols=True, bar_format=shape)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.bar.close()

    def __call__(self, stage: str, fraction: float) -> None:
        self.bar.n = max(self.bar.n, fraction)  # not update(), which skips refreshes
        self.bar.set_description_str(stage)

    def warning(self, message: str) -> None:
        self.bar.write(f"Note: {message}", file=sys.stderr)

    def line(self, message: str) -> None:
        self.bar.write(message)

    def done(self, output: Path, files: Sequence[Path]) -> None:
        self.bar.close()
        super().done(output, files)

    def error(self, message: str, exit_code: int) -> None:
        self.bar.close()
        super().error(message, exit_code)


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
        self._emit(event="warning", message=message)

    def line(self, message: str) -> None:
        self._emit(event="line", message=message)

    def done(self, output: Path, files: Sequence[Path]) -> None:
        self._emit(event="done", output=str(output), files=[file.name for file in files])

    def error(self, message: str, exit_code: int) -> None:
        self._emit(event="error", message=message, exit_code=exit_code)

    def _emit(self, **event: Any) -> None:
        try:
            print(json.dumps(event), file=self.events, flush=True)
        except OSError as error:  # Windows raises another one for a closed pipe
            raise BrokenPipeError from error


def make_reporter(kind: str | None) -> Reporter:
    """Return the reporter for "bar", "json" or "none"; for None, a bar if standard error is a terminal."""
    if kind == "json":
        return JsonLines()
    if kind == "bar" or (kind is None and sys.stderr.isatty()):
        return ProgressBar()
    return Reporter()
