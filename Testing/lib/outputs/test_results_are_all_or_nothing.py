"""Results are written completely or not at all, wherever the run fails."""

import errno
import json
import os
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest
from support.results import contents, write

import CovidSegLib
from CovidSegLib.errors import Cancelled, InputError
from CovidSegLib.outputs import FILES, prepare, results
from CovidSegLib.storage import staging

ROOT = Path(CovidSegLib.__file__).parents[1]


def test_prepare_leaves_nothing_behind(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine.txt").write_text("x")
    before = contents(tmp_path)
    prepare(tmp_path / "a" / "b" / "c")
    prepare(tmp_path / "there")
    assert contents(tmp_path) == before


def test_a_relative_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    prepare(Path("a/b"))
    assert contents(tmp_path) == {}
    assert write(Path("a/b"))[0] == Path("a/b/segmentation.seg.nrrd")
    assert len(contents(tmp_path / "a" / "b")) == len(FILES)


@pytest.mark.parametrize("do", [prepare, write])
@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("file", "is a file. Choose a folder"),
        ("file/below", "cannot be written"),
        ("x" * 300, "cannot be written"),
        ("results", r"already holds results \(labels.nii.gz, report.csv\)"),
        ("strange", 'a folder named "report.json"'),
    ],
)
def test_folders_that_cannot_be_used(tmp_path, do, where, message):
    (tmp_path / "file").write_text("x")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "report.csv").write_text("x")
    (tmp_path / "results" / "labels.nii.gz").write_text("x")
    (tmp_path / "strange" / "report.json").mkdir(parents=True)
    before = contents(tmp_path)
    with pytest.raises(InputError, match=message):
        do(tmp_path / where, overwrite=where == "strange")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("do", [prepare, write])
@pytest.mark.parametrize(
    ("code", "message"),
    [(errno.EACCES, "No permission"), (errno.EROFS, "No permission"), (errno.ENOSPC, "disk is full")],
)
def test_folders_that_cannot_be_written(tmp_path, monkeypatch, do, code, message):
    def fail(*arguments, **options):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(staging.tempfile, "mkdtemp", fail)
    with pytest.raises(InputError, match=message):
        do(tmp_path / "a" / "b")
    assert contents(tmp_path) == {}


def test_a_nearly_full_disk_is_reported_before_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(staging.shutil, "disk_usage", lambda path: types.SimpleNamespace(free=1_000_000))
    with pytest.raises(InputError, match="less than 50 MB"):
        prepare(tmp_path / "out")
    assert contents(tmp_path) == {}


def test_overwriting_replaces_results_only(tmp_path):
    write(tmp_path)
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "lungs.vtp.bak").write_text("mine too")
    (tmp_path / "infection.vtp").write_text("stale")
    (tmp_path / "report.json").write_text("old")
    with pytest.raises(InputError, match="already holds results"):
        write(tmp_path)
    prepare(tmp_path, overwrite=True)
    write(tmp_path, overwrite=True, skip={"surfaces"})
    names = set(FILES.values()) - {"lungs.vtp", "infection.vtp"} | {"mine.txt", "lungs.vtp.bak"}
    assert set(contents(tmp_path)) == names
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert json.loads((tmp_path / "report.json").read_text())["schema"] == "covidseg-report/1"


def stop_at(number):
    """Return a progress callable that raises at its number-th call."""
    fractions = []

    def progress(stage, fraction):
        fractions.append(fraction)
        if len(fractions) == number:
            raise Cancelled

    return progress


@pytest.fixture(params=["no folder", "empty folder", "earlier results"])
def place(request, tmp_path):
    """A folder to write to, and whether it contains earlier results."""
    out = tmp_path / "out" / "in"
    if request.param != "no folder":
        out.mkdir(parents=True)
    if request.param == "earlier results":
        for name in [*FILES.values(), "mine.txt"]:
            (out / name).write_text(f"earlier {name}")
    return out, request.param == "earlier results"


@pytest.mark.parametrize("number", range(1, 7))
def test_cancelling_at_any_time_leaves_the_folder_as_it_was(tmp_path, place, number):
    out, overwrite = place
    before = contents(tmp_path)
    with pytest.raises(Cancelled):
        write(out, overwrite=overwrite, progress=stop_at(number))
    assert contents(tmp_path) == before


STEPS = ["quantify", "write_seg_nrrd", "write_image", "surfaces_of", "write_surface", "write_json", "write_csv"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (OSError(errno.ENOSPC, "full"), InputError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (MemoryError(), MemoryError),
    ],
)
def test_failing_anywhere_leaves_the_folder_as_it_was(tmp_path, monkeypatch, place, step, error, raised):
    def fail(*arguments):
        if isinstance(arguments[0], Path):
            arguments[0].write_bytes(b"half")
        raise error

    out, overwrite = place
    before = contents(tmp_path)
    monkeypatch.setattr(results, step, fail)
    with pytest.raises(raised, match="The disk is full" if raised is InputError else None):
        write(out, overwrite=overwrite)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("number", [1, 3, 5, 7, 9])
@pytest.mark.parametrize(
    ("error", "raised"), [(PermissionError(errno.EACCES, "open"), InputError), (KeyboardInterrupt(), KeyboardInterrupt)]
)
def test_failing_while_files_are_swapped_restores_earlier_results(tmp_path, monkeypatch, number, error, raised):
    for name in ["labels.nii.gz", "report.json", "mine.txt"]:
        (tmp_path / name).write_text(f"earlier {name}")
    before, rename, calls = contents(tmp_path), Path.rename, []

    def fail_once(path, target):
        calls.append(path)
        if len(calls) == number:
            raise error
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_once)
    with pytest.raises(raised):
        write(tmp_path, overwrite=True)
    assert contents(tmp_path) == before


def test_earlier_results_that_cannot_be_restored_are_not_removed(tmp_path, monkeypatch):
    (tmp_path / "report.json").write_text("earlier")
    rename, calls = Path.rename, []

    def fail_after_the_first(path, target):
        calls.append(path)
        if len(calls) > 1:
            raise OSError(errno.EIO, "disk lost")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_after_the_first)
    with pytest.raises(InputError, match="disk lost"):
        write(tmp_path, overwrite=True)
    assert b"earlier" in contents(tmp_path).values()


def test_results_that_appear_during_the_run_are_not_overwritten(tmp_path):
    def progress(stage, fraction):
        (tmp_path / "report.csv").write_text("of another run")

    with pytest.raises(InputError, match="already holds results"):
        write(tmp_path, progress=progress)
    assert contents(tmp_path) == {"report.csv": b"of another run"}


def test_a_broken_pipe_of_the_progress_is_not_reported_as_a_disk_error(tmp_path):
    def progress(stage, fraction):
        raise BrokenPipeError(errno.EPIPE, "gone")

    with pytest.raises(BrokenPipeError):
        write(tmp_path / "out", progress=progress)
    assert contents(tmp_path) == {}


def age(path, seconds):
    os.utime(path, (time.time() - seconds,) * 2)


def test_leftovers_of_killed_runs_are_removed_later(tmp_path):
    old, young, kept = (tmp_path / f"{staging.PREFIX}{name}" for name in ("old", "young", "kept"))
    for folder in (old, young, kept / "earlier"):
        folder.mkdir(parents=True)
        (folder / "report.json").write_text("x")
    age(old, 2 * staging.LEFTOVER_SECONDS)
    age(kept, 2 * staging.LEFTOVER_SECONDS)
    write(tmp_path)
    assert not old.exists()
    assert (young / "report.json").exists(), "another run may still use it"
    assert (kept / "earlier" / "report.json").exists(), "these are earlier results"


def test_a_killed_run_leaves_no_results(tmp_path):
    script = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from CovidSegLib.outputs import write_results
from support.grids import chest
write_results(Path({str(tmp_path)!r}), *chest(), skip=["overview"],
              progress=lambda stage, fraction: os._exit(9) if fraction == 1 else None)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True)
    assert done.returncode == 9, done.stderr.decode()
    assert not set(FILES.values()) & {path.name for path in tmp_path.iterdir()}
    write(tmp_path)
