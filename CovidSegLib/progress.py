"""How a long run says where it is, and how it is told to stop.

Every long function takes a `progress` callable of two arguments, the stage in plain words and the fraction done of the
whole run (0 to 1). To cancel, the callable raises `errors.Cancelled`.
"""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Takes the stage's name and the fraction done of the whole run."""

    def __call__(self, stage: str, fraction: float) -> None: ...


def silent(stage: str, fraction: float) -> None:
    """Progress that nobody wants to see."""


def subprogress(progress: Progress, start: float, end: float) -> Progress:
    """Progress of a part of a run: its 0 to 1 is the whole's `start` to `end`."""

    def report(stage: str, fraction: float) -> None:
        progress(stage, start + (end - start) * fraction)

    return report
