"""What a worker does with a case. Runs in the worker's process, in which the model stays loaded."""

from __future__ import annotations

import shutil
import sys
import time
import traceback
from dataclasses import replace

from ... import models
from ...errors import DiskFullError, GpuMemoryError, InputError
from ...segmenting import segment_scan
from ...storage.disk_errors import FULL
from ..cases import Finding
from ..findings import finding_of, is_complete, leftovers, model_of, stored_finding
from .engine import Job, Outcome, Work

MEMORY = "There is not enough memory for this scan. Segment it with fewer workers."
CHANGED = (
    'The model "{}" has changed since this run began. Run the command again with the earlier model, or with another '
    "folder."
)


def run_job(work: Work, job: Job) -> Outcome:
    """Segment a case, or measure its result if a killed run has left a complete one.

    Errors become outcomes: no scan ends the worker.
    """
    started, cpu = time.monotonic(), time.process_time()
    try:
        model = models.find_model(work.model)
        if model.card["sha256"] != work.sha256:
            return Outcome("stop", CHANGED.format(model.name))
        finding = _finding(work, job, model)
    except DiskFullError as error:
        return Outcome("stop", str(error))
    except GpuMemoryError as error:
        return Outcome("again", str(error))
    except InputError as error:
        return Outcome("failed", str(error))
    except MemoryError:
        return Outcome("again", MEMORY)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:  # such as that of temporary files
            return Outcome("stop", f"The disk is full: {error.filename or job.output}. Free some space.")
        sentence = f"CovidSeg failed unexpectedly ({type(error).__name__}). Please report the messages in the log."
        return Outcome("again", sentence, traceback=traceback.format_exc())
    cost = {"cpu_seconds": round(time.process_time() - cpu, 2), "peak_mb": _peak_mb()}
    finding = replace(finding, numbers={**finding.numbers, **cost})
    return Outcome("done", finding=finding, seconds=round(time.monotonic() - started, 2))


def _finding(work: Work, job: Job, model: models.Model) -> Finding:
    if is_complete(job.output, work.options):
        if model_of(job.output) != work.sha256:
            raise InputError(
                f'The folder "{job.output.name}" holds the result of another model. Move it away, or choose another '
                "folder for the cohort."
            )
        return stored_finding(job.output)
    for folder in leftovers(job.output):
        shutil.rmtree(folder, ignore_errors=True)
    # What is there is incomplete, and no other run writes here.
    options = replace(work.options, overwrite=True)
    scan = segment_scan(job.input, job.output, lambda: model, options, series=job.series)
    return finding_of(scan, job.output)


def _peak_mb() -> float | None:
    """Return the peak memory of this process in MB; None on Windows, where Python does not know it."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024**2 if sys.platform == "darwin" else 1024), 1)
