"""A run from start to end with children that behave and children that do not."""

import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import harness
import pytest
import slicer

from CovidSegModule import run as run_module
from CovidSegModule import scene, worker
from CovidSegModule.run import Run


def start(ct, mode, **options):
    run = Run(ct, program=harness.fake(mode), **options)
    run.start()
    return run


def test_progress_is_passed_on(clean):
    run = start(harness.make_ct(), "slow")
    harness.wait_until(lambda: run.poll() or run.fraction > 0.4)
    assert run.stage == "Finding the infection"
    assert run.seconds_left == 72.0
    run.cancel()


def test_polling_never_waits(clean):
    run = start(harness.make_ct(), "slow")
    seconds = []
    for _ in range(50):
        begin = time.perf_counter()
        run.poll()
        seconds.append(time.perf_counter() - begin)
        time.sleep(0.01)
    run.cancel()
    # The child says something every 0.05 s; a busy machine may delay any single call.
    assert statistics.median(seconds) < 0.02


def test_cancel_leaves_no_trace(clean):
    ct = harness.make_ct()
    before = scene.node_ids()
    run = start(ct, "slow")
    harness.wait_until(lambda: run.poll() or run.fraction > 0.4)
    process = run._worker._process
    run.cancel()
    assert run.finished
    assert run.error is None
    assert run.result is None
    assert process.poll() is not None
    assert not list(clean.iterdir())
    assert scene.node_ids() == before


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at processes as Linux shows them")
def test_cancel_kills_what_the_child_started(clean):
    run = start(harness.make_ct(), "tree")
    harness.wait_until(lambda: run.poll() or run.stage[:1].isdigit())
    processes = [int(text) for text in run.stage.split()]
    assert all(map(harness.is_running, processes))
    run.cancel()
    harness.wait_until(lambda: not any(map(harness.is_running, processes)))


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [
        ("unusable", "This is not a chest CT: no lungs were found. Select another volume."),
        ("crash", "stopped unexpectedly"),
        ("memory", "out of memory"),
        ("killed", "out of memory"),
        ("broken", "damaged or missing"),
        ("nothing", "could not be loaded"),
        ("shifted", "could not be loaded"),
    ],
)
def test_failures_say_what_to_do(clean, caplog, mode, sentence):
    ct = harness.make_ct()
    before = scene.node_ids()
    with caplog.at_level(logging.ERROR):
        run = harness.finish(start(ct, mode))
    assert sentence in run.error
    assert "Traceback" not in run.error
    assert run.broken_installation == (mode == "broken")
    assert scene.node_ids() == before
    if mode == "crash":
        assert "index 3 is out of bounds" in caplog.text


def test_whatever_else_is_printed_is_ignored(clean):
    run = harness.finish(start(harness.make_ct(), "garbage"))
    assert run.error is None
    assert run.result


def test_warnings_are_kept(clean):
    run = harness.finish(start(harness.make_ct(), "warn"))
    assert run.warnings == ["The slices are 10 mm thick; small lesions may be missed."]


def test_the_ct_may_be_deleted_while_it_runs(clean):
    ct = harness.make_ct()
    run = start(ct, "slow")
    slicer.mrmlScene.RemoveNode(ct)
    run.poll()
    assert run.finished
    assert "removed" in run.error


def test_a_ct_that_was_moved_gets_no_result(clean):
    ct = harness.make_ct()
    run = start(ct, "done")
    ct.SetOrigin(0, 0, 0)
    harness.finish(run)
    assert "moved" in run.error


def test_a_ct_whose_parent_transform_changed_gets_its_result(clean):
    ct = harness.make_ct()
    run = start(ct, "done")
    ct.SetAndObserveTransformNodeID(harness.make_transform().GetID())
    harness.finish(run)
    assert run.result.segmentation.GetTransformNodeID() == ct.GetTransformNodeID()


def test_the_input_is_refused_before_a_process_starts(clean):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    run = start(node, "done")
    assert run.finished
    assert "empty" in run.error


def test_a_user_with_another_alphabet(clean, monkeypatch):
    folder = clean / "Jürgen 王"
    folder.mkdir()
    monkeypatch.setattr(slicer.app, "temporaryPath", str(folder), raising=False)
    run = harness.finish(start(harness.make_ct("Bild ß"), "done"))
    assert run.error is None
    folder.rmdir()


def test_a_full_disk_is_told(clean, monkeypatch):
    monkeypatch.setattr(scene, "write_ct", lambda *_: (_ for _ in ()).throw(OSError("No space left on device")))
    run = start(harness.make_ct(), "done")
    assert "disk space" in run.error


def test_leftovers_of_a_crash_are_removed(clean):
    old, new = (Path(tempfile.mkdtemp(prefix=run_module.FOLDER_PREFIX)) for _ in range(2))
    os.utime(old, (0, 0))
    run_module.remove_leftovers()
    assert not old.exists()
    assert new.exists()
    new.rmdir()


def test_the_command():
    command = worker.segment_command(["python", "-m", "CovidSegLib"], "ct.nrrd", "out", "x", "cuda")
    expected = "segment ct.nrrd --output out --progress json --device cuda --model x"
    assert command == ["python", "-m", "CovidSegLib", *expected.split(), *["--skip", "surfaces", "--skip", "overview"]]


def test_the_child_finds_the_library_and_keeps_its_files_to_itself(clean, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("PYTHONSTARTUP", "/somewhere/startup.py")
    variables = worker.environment(tmp_path)
    assert variables["PYTHONPATH"].split(os.pathsep)[1] == "/somewhere"
    assert "PYTHONSTARTUP" not in variables
    code = "import json, tempfile, CovidSegLib; print(json.dumps([CovidSegLib.__name__, tempfile.gettempdir()]))"
    output = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, cwd="/", check=True)
    assert json.loads(output.stdout) == ["CovidSegLib", str(tmp_path)]


def test_pythonslicer_is_found(clean, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert worker.python() == sys.executable
    program = tmp_path / "bin" / "PythonSlicer"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.setattr(slicer.app, "slicerHome", str(tmp_path), raising=False)
    assert worker.python() == str(program)


def test_the_child_dies_with_the_application(clean, tmp_path):
    """An application that quits, or fails, without cleaning up leaves no process behind."""
    code = (
        "import sys, time; sys.path[:0] = sys.argv[1:3]\n"
        "from pathlib import Path\n"
        "import stand_ins.application as a; a.start()\n"
        "from CovidSegModule.worker import ChildProcess\n"
        "child = ChildProcess(); child.start([sys.executable, '-c', 'import time; time.sleep(600)'], Path('.'))\n"
        "print(child._process.pid)\n"
    )
    module = Path(__file__).parents[2] / "CovidSeg"
    command = [sys.executable, "-c", code, str(Path(__file__).parent), str(module)]
    environment = {**os.environ, "PYTHONPATH": str(module.parent)}
    output = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=True)
    assert not harness.is_running(int(output.stdout.split()[-1]))
