"""Cases run once each, with retries; every end of a run leaves what is done, and the next resumes."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from support.cohorts import cohort_of, finding, finish
from support.command_line import LIBRARY
from support.instant import InstantEngine, cohort_with, segment, write_scans

from CovidSegLib import pipeline
from CovidSegLib.cohorts.batch import LOG, run_batch
from CovidSegLib.cohorts.cases import all_cases, count_states, fail_case, start_case
from CovidSegLib.cohorts.database import open_cohort
from CovidSegLib.cohorts.engines.engine import LOST, Outcome
from CovidSegLib.errors import Cancelled, InputError
from CovidSegLib.outputs.names import FILES

DONE = Outcome("done", finding=finding(1.0), seconds=2.0)


def script(**ends: list[Outcome]):
    """Return a runner of jobs that come to these ends, one attempt after the other; others are done."""
    return lambda job: ends[job.id].pop(0) if ends.get(job.id) else DONE


def test_each_case_runs_once_in_its_order(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, "a", "b", "c")
    engine = InstantEngine(script(), workers=2)
    summary = run_batch(cohort, engine)
    assert engine.started == ["a", "b", "c"]
    assert (summary.done, summary.failed, summary.states["done"]) == (3, 0, 3)
    assert [case.attempts for case in all_cases(cohort)] == [1, 1, 1]


def test_a_failed_case_is_a_row_and_not_the_end(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, "a", "b")
    lines: list[str] = []
    summary = run_batch(cohort, InstantEngine(script(a=[Outcome("failed", "It is no CT.")])), log=lines.append)
    assert (summary.done, summary.failed) == (1, 1)
    assert [(case.state, case.sentence) for case in all_cases(cohort)] == [("failed", "It is no CT."), ("done", None)]
    assert lines == ["a: failed. It is no CT.", "b: done in 2 s."]
    with (tmp_path / "cohort.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["sentence"] for row in csv.DictReader(file)] == ["It is no CT.", ""]


def test_a_lost_case_is_tried_again_after_the_others(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, "a", "b")
    engine = InstantEngine(script(a=[LOST]))
    assert run_batch(cohort, engine, retries=1).done == 2
    assert engine.started == ["a", "b", "a"]


def test_retries_end(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, "a")
    engine = InstantEngine(script(a=[LOST, LOST, LOST, LOST]))
    assert run_batch(cohort, engine, retries=2).failed == 1
    assert all_cases(cohort)[0].attempts == 3


def test_a_case_whose_input_is_bad_is_not_tried_again(tmp_path: Path) -> None:
    engine = InstantEngine(script(a=[Outcome("failed", "No.")]))
    run_batch(cohort_of(tmp_path, "a"), engine, retries=5)
    assert engine.started == ["a"]


def test_what_would_fail_for_every_case_ends_the_run_and_loses_nothing(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, "a", "b", "c")
    with pytest.raises(InputError, match="The disk is full"):
        run_batch(cohort, InstantEngine(script(b=[Outcome("stop", "The disk is full.")])))
    assert [case.state for case in all_cases(cohort)] == ["done", "waiting", "waiting"]
    assert run_batch(cohort, InstantEngine(script())).done == 2


def test_a_cancelled_run_keeps_what_is_done(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, "a", "b")

    def cancel(stage: str, fraction: float) -> None:
        if fraction >= 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        run_batch(cohort, InstantEngine(script()), progress=cancel)
    assert [case.state for case in all_cases(cohort)] == ["done", "waiting"]
    assert (tmp_path / "cohort.csv").is_file()


def test_cases_of_a_killed_run_come_last(tmp_path: Path) -> None:
    """One of them may have taken the whole computer down."""
    cohort = cohort_of(tmp_path, "a", "b", "c")
    start_case(cohort, "a")
    engine = InstantEngine(script())
    run_batch(cohort, engine)
    assert engine.started == ["b", "c", "a"]


def test_done_and_failed_cases_are_left_alone(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, "a", "b", "c")
    finish(cohort, "a", 1.0)
    start_case(cohort, "b")
    fail_case(cohort, "b", "No.")
    engine = InstantEngine(script())
    run_batch(cohort, engine)
    assert engine.started == ["c"]


def test_the_progress_is_that_of_this_run(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, "a", "b", "c")
    finish(cohort, "a", 1.0)
    shown: list[tuple[str, float]] = []
    run_batch(cohort, InstantEngine(script(b=[Outcome("failed", "No.")])), progress=lambda *step: shown.append(step))
    assert shown[0] == ("0 of 2 scans", 0.0)
    assert shown[-2:] == [("1 of 2 scans, 1 failed", 0.5), ("2 of 2 scans, 1 failed", 0.999)]


def test_a_traceback_goes_to_the_log(tmp_path: Path) -> None:
    end = Outcome("again", "It failed unexpectedly.", traceback="Traceback: secret line 5")
    run_batch(cohort_of(tmp_path, "a"), InstantEngine(script(a=[end, end])))
    assert (tmp_path / LOG).read_text().count("secret line 5") == 2
    assert "secret" not in (tmp_path / "cohort.csv").read_text()


#: Ends a run by SIGKILL at a moment: python -c KILLED FOLDER MOMENT SCANS
KILLED = """
import os, signal, sys
from pathlib import Path
from CovidSegLib import pipeline
from CovidSegLib.cohorts import batch
from support.instant import InstantEngine, cohort_with, segment
pipeline.segment = segment
folder, moment = Path(sys.argv[1]), sys.argv[2]
def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)
if moment == "computing":
    pipeline.segment = lambda volume, model, **options: die()
elif moment == "renaming":
    rename, names = Path.rename, []
    def rename_some(path, target):
        names.append(target)
        return die() if len(names) == 3 else rename(path, target)
    Path.rename = rename_some
elif moment == "storing":
    batch.finish_case = die
batch.run_batch(cohort_with(folder, Path(sys.argv[3])), InstantEngine())
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("moment", ["computing", "renaming", "storing"])
def test_a_run_that_is_killed_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    write_scans(tmp_path / "scans", 2)
    environment = {**os.environ, "PYTHONPATH": f"{LIBRARY}{os.pathsep}{LIBRARY / 'Testing'}"}
    command = [sys.executable, "-c", KILLED, str(tmp_path / "out"), moment, str(tmp_path / "scans")]
    assert subprocess.run(command, env=environment, timeout=120).returncode == -signal.SIGKILL
    cohort = open_cohort(tmp_path / "out")
    assert count_states(cohort)["running"] == 1
    segmented: list[str] = []

    def counted(volume, model, **options):
        segmented.append(str(volume.grid.origin))
        return segment(volume, model)

    monkeypatch.setattr(pipeline, "segment", counted)
    assert run_batch(cohort, InstantEngine()).done == 2
    # A result that was complete is measured, not computed again.
    assert len(segmented) == (1 if moment == "storing" else 2)
    assert max(Counter(segmented).values()) == 1
    for case in all_cases(cohort):
        assert (case.state, case.numbers["both_involvement_percent"] > 0) == ("done", True)
        names = {path.name for path in cohort.path_of(case.output).iterdir()}
        assert names == {FILES[name] for name in ("segmentation", "infection_probability", "report", "table")}


def test_a_result_that_was_complete_gives_the_same_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "segment", segment)
    cohort = cohort_with(tmp_path / "out", *write_scans(tmp_path, 1))
    run_batch(cohort, InstantEngine())
    (first,) = all_cases(cohort)
    start_case(cohort, first.id)
    monkeypatch.delattr(pipeline, "segment")
    assert run_batch(cohort, InstantEngine()).done == 1
    (again,) = all_cases(cohort)
    cost = {"cpu_seconds", "peak_mb"}
    assert {k: v for k, v in again.numbers.items() if k not in cost} == {
        k: v for k, v in first.numbers.items() if k not in cost
    }
    assert (again.model_sha256, again.warnings) == (first.model_sha256, first.warnings)


def test_a_moved_input_is_a_failed_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "segment", segment)
    first, second = write_scans(tmp_path, 2)
    cohort = cohort_with(tmp_path / "out", first, second)
    (tmp_path / "moved").mkdir()
    first.rename(tmp_path / "moved" / "other name.nii.gz")
    run_batch(cohort, InstantEngine())
    assert [case.state for case in all_cases(cohort)] == ["failed", "done"]
    assert all_cases(cohort)[0].sentence == 'There is no file or folder "ct0.nii.gz". Check the path.'
    # Given from its new place, it is the same case.
    cohort = cohort_with(tmp_path / "out", tmp_path / "moved")
    assert [Path(case.input).name for case in all_cases(cohort)] == ["other name.nii.gz", "ct1.nii.gz"]
