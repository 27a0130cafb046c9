"""What an engine is: workers that keep the model loaded, each with one case at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from ...segmenting import SegmentOptions
from ..cases import Finding

#: What has become of a case: it is done; it has failed and would fail again; it may succeed in another attempt; or
#: every further case would fail, too.
Kind = Literal["done", "failed", "again", "stop"]


@dataclass(frozen=True)
class Work:
    """What is the same for all cases.

    Attributes:
        model: Name or folder of the model.
        sha256: SHA-256 of its weights, which must not change during a run.
        options: How to segment, and what to write.
    """

    model: str
    sha256: str | None
    options: SegmentOptions


@dataclass(frozen=True)
class Job:
    """One case that a worker segments.

    Attributes:
        id: The case.
        input: Absolute path of the CT.
        series: UID of the DICOM series, or None.
        output: Absolute path of the folder for the results.
    """

    id: str
    input: Path
    series: str | None
    output: Path


@dataclass(frozen=True)
class Outcome:
    """What has become of a job.

    Attributes:
        kind: See `Kind`.
        sentence: Why it is not done.
        finding: Its numbers if it is done.
        seconds: How long it took.
        traceback: Of an unexpected error, for the log.
    """

    kind: Kind
    sentence: str = ""
    finding: Finding | None = None
    seconds: float = 0.0
    traceback: str = ""


#: A worker process has ended while it segmented a case.
LOST = Outcome(
    "again",
    "The process that segmented this scan was ended, perhaps because memory ran out. Segment it with fewer workers.",
)


class Engine(Protocol):
    """Runs jobs in workers.

    Attributes:
        workers: Number of jobs that run at the same time.
    """

    workers: int

    def start(self, slot: int, job: Job) -> None:
        """Start a job in a worker that has none.

        Args:
            slot: The worker, from 0.
            job: The job.
        """

    def wait(self, seconds: float) -> list[tuple[int, Outcome]]:
        """Wait until a job ends, or for some seconds. Return the workers whose jobs have ended, with the outcomes."""

    def close(self) -> None:
        """End all workers at once. Their jobs are lost, and their folders are as before."""
