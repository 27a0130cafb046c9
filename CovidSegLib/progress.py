"""Progress of long functions, and how to cancel them.

A long function takes a callable `progress` and calls it with the current stage and the completed fraction of the whole
run. To cancel the run, the callable raises `errors.Cancelled`.

Example:
    >>> def show(stage: str, fraction: float) -> None:
    ...     print(f"{stage}: {fraction:.0%}")
    >>> second_half = subprogress(show, 0.5, 1.0)
    >>> second_half("Finding the infection", 0.5)
    Finding the infection: 75%
"""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Callable that receives the progress of a run."""

    def __call__(self, stage: str, fraction: float) -> None:
        """Receive the progress.

        Args:
            stage: The current stage in plain words, such as "Finding the lungs".
            fraction: Completed fraction of the run, from 0 to 1.

        Raises:
            Cancelled: The run is to be cancelled.
        """


def silent(stage: str, fraction: float) -> None:
    """Ignore the progress."""


def subprogress(progress: Progress, start: float, end: float) -> Progress:
    """Return the progress of a part of a run.

    Args:
        progress: Receives the progress of the whole run.
        start, end: Fractions of the whole run at which the part begins and ends.
    """

    def report(stage: str, fraction: float) -> None:
        progress(stage, start + (end - start) * fraction)

    return report
