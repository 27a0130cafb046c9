"""One run at a time writes to a folder, and the others do not compute in vain."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.command_line import LIBRARY, TIMEOUT, start

from CovidSegLib.cli.main import CANCELLED, DONE, UNUSABLE
from CovidSegLib.errors import InputError
from CovidSegLib.storage.claim import claimed_folder

pytest.importorskip("fcntl")
HOLDER = """
import sys
from pathlib import Path
from CovidSegLib.storage.claim import claimed_folder
with claimed_folder(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(out: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(out)], cwd=LIBRARY, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout and process.stdout.readline() == b"held\n"
    return process


def test_a_folder_is_claimed_by_one_run(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    with claimed_folder(out):
        assert out.is_dir() and list(out.iterdir()) == []
        with pytest.raises(InputError, match="Another run of CovidSeg"), claimed_folder(out):
            pytest.fail("claimed twice")
        with claimed_folder(tmp_path / "other"):
            pass
        assert out.is_dir()
    assert not out.parent.exists()
    with claimed_folder(out):
        pass


def test_results_and_earlier_folders_stay(tmp_path: Path) -> None:
    with claimed_folder(tmp_path):
        pass
    with claimed_folder(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "report.json").touch()
    assert (tmp_path / "a" / "b" / "report.json").exists()


def test_the_claim_of_a_killed_process_does_not_count(tmp_path: Path) -> None:
    out = tmp_path / "out"
    holder = hold(out)
    with pytest.raises(InputError, match="Another run"), claimed_folder(out):
        pass
    holder.kill()
    holder.wait()
    with claimed_folder(out):
        pass


def test_a_folder_that_cannot_be_claimed_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "out", tmp_path / "a" / ("x" * 300)):
        with pytest.raises(InputError, match="hoose"), claimed_folder(out):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_one_of_eight_runs_computes_and_the_others_are_refused_before(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    arguments = ["segment", "--demo", "-o", out, "--skip", "overview", "--skip", "surfaces", "--progress", "json"]
    runs = [start(*arguments) for _ in range(8)]
    ended = {run: run.communicate(timeout=TIMEOUT) for run in runs}
    codes = sorted(run.returncode for run in runs)
    assert codes == [DONE] + 7 * [UNUSABLE]
    for run, (printed, _) in ended.items():
        if run.returncode == UNUSABLE:
            last = printed.splitlines()[-1]
            assert b"Another run of CovidSeg" in last or b"already holds results" in last
            assert b"Reading the CT" not in printed
    assert (out / "report.json").exists()


def test_eight_runs_that_fail_leave_nothing(tmp_path: Path) -> None:
    runs = [start("segment", tmp_path / "none.nii", "-o", tmp_path / "out") for _ in range(8)]
    errors = [run.communicate(timeout=TIMEOUT)[1] for run in runs]
    assert {run.returncode for run in runs} == {UNUSABLE}
    assert all(b"Another run" in error or b"There is no file" in error for error in errors), errors
    assert not (tmp_path / "out").exists()


def test_a_refused_evaluation_reads_nothing(tmp_path: Path) -> None:
    holder = hold(tmp_path / "out")
    process = start("evaluate", tmp_path / "none", "-o", tmp_path / "out")
    assert b"Another run" in process.communicate(timeout=TIMEOUT)[1]
    assert process.returncode == UNUSABLE != CANCELLED
    holder.kill()
    holder.wait()
