"""Disturb a run of the panel. Each function returns what was wrong afterwards, or an empty text.

    python Testing/module/run_faults.py

prints the results as JSON, for Testing/faults/run.py.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

if __name__ == "__main__":
    import conftest  # noqa: F401 - starts the stand-ins for Slicer

import harness
import slicer

from CovidSegModule.process import folders
from CovidSegModule.scene.nodes import node_ids


@contextmanager
def temporary_folder():
    """Use an empty folder for temporary files."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(folders, "temporary_path", lambda: folder):
        yield Path(folder)


@contextmanager
def mounted(folder, options):
    """Mount a small disk at a folder. It needs root."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def problem_after(run, nodes, folder):
    """Return what is wrong after a disturbed run: no message, or nodes or files that are left."""
    if not (run.error and run.error.endswith(".")):
        return f"no sentence for the user: {run.error!r}"
    if run.result is not None or node_ids() != nodes:
        return "the scene was changed"
    if left := [path.name for path in folder.iterdir()]:
        return f"files are left: {left}"
    return ""


def next_run_problem(ct):
    """Return what is wrong with a run after the fault, or an empty text."""
    run = harness.finish(harness.start_run(ct, "done"))
    return "" if run.result is not None else f"the next run fails: {run.error}"


def disturb_child(mode, number=None):
    """Run the fake child in a mode; send it a signal as soon as it works."""
    with temporary_folder() as folder:
        ct = harness.make_ct()
        nodes = node_ids()
        run = harness.start_run(ct, mode)
        if number is not None:
            harness.wait_until(lambda: run.poll() or run.fraction > 0.4)
            os.killpg(run._worker._process.pid, number)
        harness.finish(run)
        return problem_after(run, nodes, folder) or next_run_problem(ct)


def kill_child():
    return disturb_child("slow", signal.SIGKILL)


def terminate_child():
    return disturb_child("slow", signal.SIGTERM)


def exhaust_memory():
    return disturb_child("memory")


def disturb_disk(options, prepare):
    """Run with a small disk for temporary files."""
    with temporary_folder() as folder:
        ct = harness.make_ct()
        nodes = node_ids()
        with mounted(folder, options):
            prepare(folder)
            run = harness.finish(harness.start_run(ct, "done"))
            if problem := problem_after(run, nodes, folder):
                return problem
        return next_run_problem(ct)


def full_disk():
    return disturb_disk("size=16k", lambda folder: None)


def read_only_disk():
    return disturb_disk("size=1m", lambda folder: subprocess.run(["mount", "-o", "remount,ro", folder], check=True))


def clock_set_back():
    """A month back, during the run and before the next one."""
    with temporary_folder() as folder:
        ct = harness.make_ct()
        run = harness.start_run(ct, "done")
        with mock.patch("time.time", lambda: 1.0):
            harness.finish(run)
            if run.result is None:
                return f"the run failed: {run.error}"
            if left := list(folder.iterdir()):
                return f"files are left: {left}"
            return next_run_problem(ct)


#: By name in the table.
FAULTS = {
    "kill -9": kill_child,
    "SIGTERM": terminate_child,
    "full disk": full_disk,
    "read-only disk": read_only_disk,
    "memory limit": exhaust_memory,
    "clock set back": clock_set_back,
}
NEED_MOUNT = ("full disk", "read-only disk")


def main():
    """Print the problems by fault."""
    results = {}
    for name, disturb in FAULTS.items():
        slicer.mrmlScene.Clear(False)
        results[name] = disturb()
    print(json.dumps(results))


if __name__ == "__main__":
    sys.exit(main())
