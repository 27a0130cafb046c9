"""A segmentation that takes no time, and an engine that runs jobs in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from CovidSegLib.cohorts.database import Cohort, create_cohort
from CovidSegLib.cohorts.engines.engine import Job, Outcome, Work
from CovidSegLib.cohorts.engines.worker import run_job
from CovidSegLib.cohorts.enrolment import enrol
from CovidSegLib.cohorts.inputs.listing import list_scans
from CovidSegLib.models import find_model
from CovidSegLib.segmentation import Segmentation
from CovidSegLib.segmenting import SegmentOptions
from CovidSegLib.volume import Grid, Volume

from .grids import chest, grid_of

OPTIONS = SegmentOptions(skip=("overview", "surfaces", "labels"))
#: Fields of the provenance that rows are made of.
PROVENANCE: dict[str, Any] = {
    "versions": {"covidseg": "1.0"},
    "settings": {"infection_threshold": 0.5},
    "device": "cpu",
}


def work(options: SegmentOptions = OPTIONS) -> Work:
    """Return the work of the default model."""
    model = find_model()
    return Work(model.name, model.card["sha256"], options)


def segment(volume: Volume, model: Any, **options: Any) -> Segmentation:
    """Stands in for `pipeline.segment`."""
    identity = {"name": model.name, "sha256": model.card["sha256"]}
    return chest(volume.grid, {**PROVENANCE, "model": identity})[1]


def write_scans(folder: Path, count: int) -> list[Path]:
    """Write small CTs, no two of them the same."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"ct{number}.nii.gz" for number in range(count)]
    for number, path in enumerate(paths):
        grid: Grid = grid_of((20, 30, 40), (6.0, 6.0, 12.0), (float(number), 0.0, 0.0))
        sitk.WriteImage(chest(grid)[0].to_image(), str(path))
    return paths


def cohort_with(folder: Path, *inputs: Path) -> Cohort:
    """Return a cohort of the scans at these paths."""
    cohort = create_cohort(folder)
    enrol(cohort, list_scans(inputs, folder).scans)
    return cohort


class InstantEngine:
    """Runs each job when its end is asked for.

    Args:
        run: Runs a job; with `run_job` if None.
        workers: Number of workers.
    """

    def __init__(self, run: Callable[[Job], Outcome] | None = None, workers: int = 1):
        self.workers = workers
        self.started: list[str] = []
        self._run = run or (lambda job: run_job(work(), job))
        self._jobs: dict[int, Job] = {}

    def start(self, slot: int, job: Job) -> None:
        assert slot not in self._jobs
        self._jobs[slot] = job
        self.started.append(job.id)

    def wait(self, seconds: float) -> list[tuple[int, Outcome]]:
        slot = min(self._jobs)
        return [(slot, self._run(self._jobs.pop(slot)))]

    def close(self) -> None:
        self._jobs.clear()
