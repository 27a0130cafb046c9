import csv
import errno
import gzip
import json
import math
import os
import struct
import subprocess
import sys
import time
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from support.grids import chest, grids

from CovidSegLib import outputs
from CovidSegLib.errors import Cancelled, InputError
from CovidSegLib.outputs import FILES, prepare, write_results
from CovidSegLib.outputs.writing import write_image
from CovidSegLib.quantification import quantify
from CovidSegLib.storage import staging

VOLUME, SEGMENTATION = chest()


@pytest.fixture(autouse=True)
def drawn(monkeypatch):
    """An overview that is quick, and the arguments it was drawn with."""
    calls = []

    def draw_overview(path, *arguments):
        path.write_bytes(b"picture")
        calls.append(arguments)

    module = types.ModuleType("CovidSegLib.figures.overview")
    module.draw_overview = draw_overview
    monkeypatch.setitem(sys.modules, "CovidSegLib.figures.overview", module)
    return calls


def contents(folder):
    """Everything below a folder, by relative path; None for folders."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def write(out, **options):
    return write_results(out, VOLUME, SEGMENTATION, **options)


# What is written


def test_all_files_are_written_and_named(tmp_path, drawn):
    out = tmp_path / "new" / "Ergebnis Ä 肺"
    paths = write(out)
    assert paths == [out / name for name in FILES.values()]
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES.values())
    volume, segmentation, report, surfaces = drawn[0]
    assert volume is VOLUME
    assert segmentation is SEGMENTATION
    assert report["schema"] == "covidseg-report/1"
    assert list(surfaces) == ["lungs", "infection"]


def test_label_map_and_probabilities(tmp_path):
    write(tmp_path / "out")
    for name, expected in {"labels": SEGMENTATION.labels, "infection_probability": SEGMENTATION.probability}.items():
        image = sitk.ReadImage(str(tmp_path / "out" / FILES[name]))
        assert image.GetPixelID() == sitk.sitkUInt8
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), expected)


@settings(max_examples=40, deadline=None)
@given(grid=grids(), seed=st.integers(0, 1000))
def test_nifti_keeps_voxels_and_places_on_any_grid(tmp_path_factory, grid, seed):
    array = np.random.default_rng(seed).integers(0, 256, grid.shape).astype(np.uint8)
    path = tmp_path_factory.mktemp("nifti") / "a.nii.gz"
    write_image(path, grid.to_image(array))
    image = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), array)
    depth, height, width = grid.shape
    corners = [(x, y, z) for x in (0, width - 1) for y in (0, height - 1) for z in (0, depth - 1)]
    with gzip.open(path) as file:
        header = file.read(348)
    assert struct.unpack_from("<2h", header, 252) == (1, 1)  # both of NIfTI's two ways to say where voxels lie
    sform = np.array(struct.unpack_from("<12f", header, 280)).reshape(3, 4)
    for corner in corners:
        expected = grid.affine_lps @ [*corner, 1]
        np.testing.assert_allclose(image.TransformIndexToPhysicalPoint(corner), expected[:3], atol=1e-4)
        np.testing.assert_allclose(sform @ [*corner, 1], expected[:3] * [-1, -1, 1], atol=1e-4)
        # The quaternion's first part is the root of what the others leave of 1: of single precision half is lost.
        distance = np.linalg.norm(expected[:3] - grid.origin)
        np.testing.assert_allclose(
            qform(header) @ [*corner, 1], expected[:3] * [-1, -1, 1], atol=1e-3 * distance + 1e-3
        )


def qform(header):
    """NIfTI's other matrix, from the quaternion as the standard says."""
    b, c, d, *offset = struct.unpack_from("<6f", header, 256)
    a = math.sqrt(max(0.0, 1 - b * b - c * c - d * d))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    left_handed, *spacing = struct.unpack_from("<4f", header, 76)
    rotation[:, 2] *= left_handed
    return np.column_stack([rotation * spacing, offset])


def test_the_report_as_json(tmp_path):
    write(tmp_path / "out", skip=["overview"])
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    files = report.pop("files")
    assert report == quantify(VOLUME, SEGMENTATION)
    assert files == {**FILES, "overview": None}


def test_the_report_as_a_table(tmp_path):
    write(tmp_path / "out")
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert (tmp_path / "out" / "report.csv").read_bytes().startswith(b"\xef\xbb\xbfregion,lung,volume_ml,")
    with (tmp_path / "out" / "report.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["region"] for row in rows] == ["right lung", "left lung", "both lungs", "lesion 1", "lesion 2"]
    assert float(rows[2]["involvement_percent"]) == report["lungs"]["both"]["involvement_percent"]
    lesion = report["lesions"]["list"][1]
    assert float(rows[4]["volume_ml"]) == lesion["volume_ml"]
    assert [float(rows[4][f"centre_{axis}_mm"]) for axis in "ras"] == lesion["centre_ras_mm"]
    assert rows[4]["lung"] == lesion["lung"]
    assert rows[4]["infection_ml"] == ""


def test_the_same_run_twice_gives_the_same_files(tmp_path):
    write(tmp_path / "one")
    write(tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_what_is_skipped_is_not_written_and_the_report_says_so(tmp_path, drawn):
    paths = write(tmp_path / "a", skip={"surfaces"})
    assert {path.name for path in paths} == set(FILES.values()) - {"lungs.vtp", "infection.vtp"}
    assert drawn[0][3] is None
    paths = write(tmp_path / "b", skip={"surfaces", "overview"})
    report = json.loads((tmp_path / "b" / "report.json").read_text())
    assert {path.name for path in paths} == {name for name in report["files"].values() if name}
    assert len(drawn) == 1
    with pytest.raises(ValueError, match="report"):
        write(tmp_path / "c", skip={"report"})
    assert not (tmp_path / "c").exists()


def test_no_infection_has_no_surface(tmp_path):
    healthy = replace(SEGMENTATION, infection=np.zeros_like(SEGMENTATION.infection))
    paths = write_results(tmp_path, VOLUME, healthy)
    assert tmp_path / "lungs.vtp" in paths
    assert tmp_path / "infection.vtp" not in paths
    assert not (tmp_path / "infection.vtp").exists()
    assert json.loads((tmp_path / "report.json").read_text())["files"]["infection_surface"] is None


def test_a_long_path(tmp_path):
    out = tmp_path.joinpath(*["a name of a folder that is rather long, as names of studies are"] * 8)
    assert all(path.exists() for path in write(out))


# Where it is written


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


def test_a_disk_with_little_room_is_noticed_before_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(staging.shutil, "disk_usage", lambda path: types.SimpleNamespace(free=1_000_000))
    with pytest.raises(InputError, match="less than 50 MB"):
        prepare(tmp_path / "out")
    assert contents(tmp_path) == {}


def test_overwriting_replaces_results_and_nothing_else(tmp_path):
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


# When it fails


def stop_at(number):
    """Progress that raises when it is told something for the number-th time."""
    told = []

    def progress(stage, fraction):
        told.append(fraction)
        if len(told) == number:
            raise Cancelled

    return progress


def test_progress_rises_to_one(tmp_path):
    told = []
    write(tmp_path, progress=lambda stage, fraction: told.append((stage, fraction)))
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert len({stage for stage, _ in told}) == len(told) == 8


@pytest.fixture(params=["no folder", "empty folder", "earlier results"])
def place(request, tmp_path):
    """A folder to write to, and whether it holds earlier results."""
    out = tmp_path / "out" / "in"
    if request.param != "no folder":
        out.mkdir(parents=True)
    if request.param == "earlier results":
        for name in [*FILES.values(), "mine.txt"]:
            (out / name).write_text(f"earlier {name}")
    return out, request.param == "earlier results"


@pytest.mark.parametrize("number", range(1, 9))
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
    monkeypatch.setattr(outputs, step, fail)
    with pytest.raises(raised, match="The disk is full" if raised is InputError else None):
        write(out, overwrite=overwrite)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("number", [1, 3, 5, 7, 9])
@pytest.mark.parametrize(
    ("error", "raised"), [(PermissionError(errno.EACCES, "open"), InputError), (KeyboardInterrupt(), KeyboardInterrupt)]
)
def test_failing_while_files_are_exchanged_brings_earlier_results_back(tmp_path, monkeypatch, number, error, raised):
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


def test_earlier_results_that_cannot_be_brought_back_are_not_removed(tmp_path, monkeypatch):
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


def test_a_broken_pipe_of_the_progress_is_not_taken_for_a_bad_disk(tmp_path):
    def progress(stage, fraction):
        raise BrokenPipeError(errno.EPIPE, "gone")

    with pytest.raises(BrokenPipeError):
        write(tmp_path / "out", progress=progress)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd", "a.vtp"])
@pytest.mark.skipif(sys.platform == "win32", reason="the size of files cannot be limited there")
def test_a_file_that_the_disk_has_no_room_for_is_noticed(tmp_path, name):
    # SimpleITK and VTK themselves say nothing of it, or return as if all were well.
    script = f"""
import resource, sys, numpy as np, SimpleITK as sitk, vtk
from pathlib import Path
from CovidSegLib.outputs.writing import write_image, write_surface
path = Path({str(tmp_path / name)!r})
noise = sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 255, (20, 100, 100)).astype(np.uint8))
sphere = vtk.vtkSphereSource()
sphere.SetThetaResolution(200)
sphere.SetPhiResolution(200)
sphere.Update()
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write_surface(path, sphere.GetOutput()) if path.suffix == ".vtp" else write_image(path, noise)
except OSError as error:
    sys.exit(7)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(outputs.__file__).parents[2], capture_output=True)
    assert done.returncode == 7, done.stderr.decode()


# What killed runs leave


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
    assert (young / "report.json").exists(), "another run may be at it"
    assert (kept / "earlier" / "report.json").exists(), "these were results"


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
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(outputs.__file__).parents[2], capture_output=True)
    assert done.returncode == 9, done.stderr.decode()
    assert not set(FILES.values()) & {path.name for path in tmp_path.iterdir()}
    write(tmp_path)
