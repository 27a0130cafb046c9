"""What a worker does with a case."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.instant import OPTIONS, segment, work, write_scans

from CovidSegLib import pipeline
from CovidSegLib.cohorts.engines.engine import Job
from CovidSegLib.cohorts.engines.worker import run_job
from CovidSegLib.errors import GpuMemoryError
from CovidSegLib.outputs.names import FILES
from CovidSegLib.storage import staging


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setattr(pipeline, "segment", segment)
    return Job("a", write_scans(tmp_path, 1)[0], None, tmp_path / "cases" / "a")


def fail(error: Exception) -> Any:
    def failing(*arguments: Any, **options: Any) -> None:
        raise error

    return failing


def test_a_case_is_written_as_segment_writes_it(job: Job) -> None:
    outcome = run_job(work(), job)
    assert outcome.kind == "done"
    report = json.loads((job.output / FILES["report"]).read_text(encoding="utf-8"))
    numbers = outcome.finding.numbers
    assert numbers["both_volume_ml"] == report["lungs"]["both"]["volume_ml"]
    assert numbers["left_involvement_percent"] == report["lungs"]["left"]["involvement_percent"]
    assert numbers["lesion_count"] == report["lesions"]["count"] == len(outcome.finding.lesions) == 2
    assert numbers["largest_lesion_ml"] == report["lesions"]["list"][0]["volume_ml"]
    assert (numbers["slices"], numbers["slice_mm"]) == (20, 12.0)
    assert outcome.finding.lesions[0]["centre_s_mm"] == report["lesions"]["list"][0]["centre_ras_mm"][2]


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "stop", "The disk is full"),
        (OSError(errno.EIO, "Input/output error"), "again", "unexpectedly (OSError)"),
        (GpuMemoryError("The GPU has too little memory."), "again", "GPU has too little"),
        (MemoryError(), "again", "not enough memory"),
        (ZeroDivisionError("secret"), "again", "unexpectedly (ZeroDivisionError)"),
    ],
)
def test_errors_become_outcomes(
    job: Job, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: str, sentence: str
) -> None:
    monkeypatch.setattr(pipeline, "segment", fail(error))
    outcome = run_job(work(), job)
    assert outcome.kind == kind
    assert sentence in outcome.sentence
    assert "secret" not in outcome.sentence
    assert not job.output.exists()


def test_an_input_that_cannot_be_used_fails_for_good(job: Job) -> None:
    job.input.write_bytes(b"no image")
    outcome = run_job(work(), job)
    assert (outcome.kind, outcome.traceback) == ("failed", "")
    assert "damaged" in outcome.sentence


def test_a_full_disk_stops_the_run(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "_swap", fail(OSError(errno.ENOSPC, "No space left on device")))
    outcome = run_job(work(), job)
    assert outcome.kind == "stop"
    assert outcome.sentence.startswith("The disk is full")


def test_a_changed_model_stops_the_run(job: Job) -> None:
    outcome = run_job(replace(work(), sha256="0" * 64), job)
    assert outcome.kind == "stop"
    assert "has changed since this run began" in outcome.sentence


def test_the_result_of_another_model_is_not_replaced(job: Job) -> None:
    assert run_job(work(), job).kind == "done"
    file = job.output / FILES["report"]
    report = json.loads(file.read_text(encoding="utf-8"))
    report["provenance"]["model"]["sha256"] = "0" * 64
    file.write_text(json.dumps(report), encoding="utf-8")
    outcome = run_job(work(), job)
    assert (outcome.kind, "another model" in outcome.sentence) == ("failed", True)
    assert json.loads(file.read_text(encoding="utf-8")) == report


@pytest.mark.parametrize("missing", ["segmentation", "report", "infection_probability"])
def test_an_incomplete_result_is_computed_again(job: Job, missing: str) -> None:
    run_job(work(), job)
    (job.output / FILES[missing]).unlink()
    (job.output / f"{staging.PREFIX}left").mkdir()
    assert run_job(work(), job).kind == "done"
    assert sorted(path.name for path in job.output.iterdir()) == sorted(
        FILES[name] for name in ("segmentation", "infection_probability", "report", "table")
    )


def test_a_result_without_its_report_in_html_is_incomplete(job: Job) -> None:
    run_job(work(), job)
    with_viewer = work(replace(OPTIONS, viewer=True))
    assert run_job(with_viewer, job).kind == "done"
    assert (job.output / "viewer.html").is_file()
