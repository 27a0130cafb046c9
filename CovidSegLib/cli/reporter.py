"""What the command line says of a run: a bar for a person, or one JSON object a line for the panel."""

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
    """Takes progress (it is a `progress.Progress`), warnings, the end and errors. This one shows no progress."""

    def __enter__(self) -> Reporter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    def __call__(self, stage: str, fraction: float) -> None:
        """The stage in plain words, and the fraction of the run that is done."""

    def warning(self, message: str) -> None:
        """Something that the user should know of the result."""
        print(f"Note: {message}", file=sys.stderr)

    def line(self, message: str) -> None:
        """Something that happened, such as an epoch of training."""
        print(message, flush=True)

    def done(self, output: Path, files: Sequence[Path]) -> None:
        """All is written."""
        print(f"Done: {len(files)} files in {output}. {NOT_FOR_DIAGNOSIS}", flush=True)

    def error(self, message: str, exit_code: int) -> None:
        """The run ends without a result."""
        print(message, file=sys.stderr)


class Bar(Reporter):
    """A progress bar with the stage and the time left."""

    def __init__(self) -> None:
        shape = "{desc:<28} {percentage:3.0f}% |{bar}| {remaining} left"
        from tqdm import tqdm  # only here: Slicer, which reads JSON lines, need not have it

        self.bar = tqdm(total=1.0, leave=False, dynamic_ncols=True, bar_format=shape)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.bar.close()

    def __call__(self, stage: str, fraction: float) -> None:
        self.bar.n = max(self.bar.n, fraction)  # no update(), which shows what it deems enough
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
    """One JSON object a line on standard output: "event" is progress, warning, line, done or error.

    Nothing else comes there: in a `with` block, what libraries print goes to standard error.
    """

    def __init__(self) -> None:
        self.started = time.monotonic()

    def __enter__(self) -> JsonLines:
        sys.stdout.flush()
        self.events = open(os.dup(1), "w", encoding="ascii")  # noqa: PTH123
        os.dup2(2, 1)  # for what is written in C
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
        # Too early a guess would be wild.
        left = round(elapsed * (1 - fraction) / fraction, 1) if fraction > 0.12 else None
        self._say(event="progress", stage=stage, fraction=round(fraction, 4), seconds_left=left)

    def warning(self, message: str) -> None:
        self._say(event="warning", message=message)

    def line(self, message: str) -> None:
        self._say(event="line", message=message)

    def done(self, output: Path, files: Sequence[Path]) -> None:
        self._say(event="done", output=str(output), files=[file.name for file in files])

    def error(self, message: str, exit_code: int) -> None:
        self._say(event="error", message=message, exit_code=exit_code)

    def _say(self, **event: Any) -> None:
        try:
            print(json.dumps(event), file=self.events, flush=True)
        except OSError as error:  # Windows has other names for it
            raise BrokenPipeError from error


def reporter(kind: str | None) -> Reporter:
    """The reporter for "bar", "json" or "none"; a bar if nothing is said and a person is looking."""
    if kind == "json":
        return JsonLines()
    if kind == "bar" or (kind is None and sys.stderr.isatty()):
        return Bar()
    return Reporter()
