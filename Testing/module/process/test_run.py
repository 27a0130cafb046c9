"""Runs from start to end, with child processes that work and child processes that fail."""

import logging
import statistics
import time
from pathlib import Path

import harness
import pytest
import slicer

from CovidSegModule.process import run as run_module
from CovidSegModule.scene.nodes import node_ids


def test_progress_is_reported():
    run = harness.start_run(harness.make_ct(), "slow")
    harness.wait_until(lambda: run.poll() or run.fraction > 0.4)
    assert run.stage == "Finding the infection"
    assert run.seconds_left == 72.0
    run.cancel()


def test_polling_never_waits():
    run = harness.start_run(harness.make_ct(), "slow")
    seconds = []
    for _ in range(50):
        begin = time.perf_counter()
        run.poll()
        seconds.append(time.perf_counter() - begin)
        time.sleep(0.01)
    run.cancel()
    # The child process reports every 0.05 s. A busy machine may delay a single call.
    assert statistics.median(seconds) < 0.02


def test_cancel_leaves_nothing_behind(clean):
    ct = harness.make_ct()
    before = node_ids()
    run = harness.start_run(ct, "slow")
    harness.wait_until(lambda: run.poll() or run.fraction > 0.4)
    process = run._worker._process
    run.cancel()
    assert run.finished
    assert run.error is None
    assert run.result is None
    assert process.poll() is not None
    assert not list(clean.iterdir())
    assert node_ids() == before


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads /proc")
def test_cancel_kills_the_processes_that_the_child_started():
    run = harness.start_run(harness.make_ct(), "tree")
    harness.wait_until(lambda: run.poll() or run.stage[:1].isdigit())
    processes = [int(text) for text in run.stage.split()]
    assert all(map(harness.is_running, processes))
    run.cancel()
    harness.wait_until(lambda: not any(map(harness.is_running, processes)))


@pytest.mark.parametrize(
    ("mode", "message"),
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
def test_failures_tell_the_user_what_to_do(caplog, mode, message):
    ct = harness.make_ct()
    before = node_ids()
    with caplog.at_level(logging.ERROR):
        run = harness.finish(harness.start_run(ct, mode))
    assert message in run.error
    assert "Traceback" not in run.error
    assert run.broken_installation == (mode == "broken")
    assert node_ids() == before
    if mode == "crash":
        assert "index 3 is out of bounds" in caplog.text


def test_unusable_input_is_not_an_error_of_the_application(caplog):
    """Slicer counts records of level ERROR."""
    with caplog.at_level(logging.INFO):
        run = harness.finish(harness.start_run(harness.make_ct(), "unusable"))
    assert "no lungs were found" in run.error
    assert "no lungs were found" in caplog.text
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_slicer_does_not_compute_surfaces():
    """Computing them would block the application for seconds, so the child process does it."""
    segmentation = harness.segment_ct(harness.make_ct()).segmentation.GetSegmentation()
    surface = segmentation.GetSegment("infection").GetRepresentation("Closed surface")
    segmentation.CreateRepresentation("Closed surface")
    assert segmentation.GetSegment("infection").GetRepresentation("Closed surface") is surface
    assert surface.GetNumberOfPoints() > 0


def test_other_output_is_ignored():
    run = harness.finish(harness.start_run(harness.make_ct(), "garbage"))
    assert run.error is None
    assert run.result


def test_warnings_are_kept():
    run = harness.finish(harness.start_run(harness.make_ct(), "warn"))
    assert run.warnings == ["The slices are 10 mm thick; small lesions may be missed."]


def test_removing_the_ct_ends_the_run():
    ct = harness.make_ct()
    run = harness.start_run(ct, "slow")
    slicer.mrmlScene.RemoveNode(ct)
    run.poll()
    assert run.finished
    assert "removed" in run.error


def test_a_result_is_not_loaded_onto_a_ct_that_was_moved():
    ct = harness.make_ct()
    run = harness.start_run(ct, "done")
    ct.SetOrigin(0, 0, 0)
    harness.finish(run)
    assert "moved" in run.error


def test_the_parent_transform_may_change_during_the_run():
    ct = harness.make_ct()
    run = harness.start_run(ct, "done")
    ct.SetAndObserveTransformNodeID(harness.make_transform().GetID())
    harness.finish(run)
    assert run.result.segmentation.GetTransformNodeID() == ct.GetTransformNodeID()


def test_an_empty_volume_is_refused_before_a_process_starts():
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    run = harness.start_run(node, "done")
    assert run.finished
    assert "empty" in run.error


def test_folders_and_names_may_contain_any_characters(clean, monkeypatch):
    folder = clean / "Jürgen 王"
    folder.mkdir()
    monkeypatch.setattr(slicer.app, "temporaryPath", str(folder), raising=False)
    run = harness.finish(harness.start_run(harness.make_ct("Bild ß"), "done"))
    assert run.error is None
    folder.rmdir()


def test_a_full_disk_is_reported(monkeypatch):
    def fail(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(run_module, "write_nrrd", fail)
    run = harness.finish(harness.start_run(harness.make_ct(), "done"))
    assert "disk space" in run.error
