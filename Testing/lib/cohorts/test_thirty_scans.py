"""Thirty scans through Ray, with a worker that is killed in the middle, and through processes of this computer.

Takes many minutes: pytest -m slow Testing/lib/cohorts/test_thirty_scans.py
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from support.command_line import start
from support.phantoms import UPPER

from CovidSegLib.cohorts.cases import Case, all_cases, count_states
from CovidSegLib.cohorts.database import Cohort, open_cohort
from CovidSegLib.errors import InputError
from CovidSegLib.outputs.names import FILES
from CovidSegLib.phantom import make_phantom
from CovidSegLib.volume import Grid

SCANS = 30
#: Scans of the data set COVID-CT-MD.
SERIES = ("P001", "cap001", "normal001")
OPTIONS = ("--skip", "overview", "--skip", "surfaces", "--workers", "2", "--progress", "none")
#: Done cases after which a worker is killed.
MIDDLE = 8
HOUR = 3600.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="there is no /proc"),
    pytest.mark.skipif("COVIDSEG_DATA" not in os.environ, reason="COVIDSEG_DATA is not set"),
]


def write_list(folder: Path) -> Path:
    """Write phantoms, no two of them the same, and a list of them and of the series."""
    data = Path(os.environ["COVIDSEG_DATA"], "covid_ct_md")
    lines = [str(data / name) for name in SERIES]
    for number in range(SCANS - len(SERIES)):
        x, y, z = UPPER.origin
        phantom = make_phantom(Grid(UPPER.shape, UPPER.spacing, (x + number, y, z)), infected=number % 5 > 0)
        path = folder / f"phantom{number:02d}.nii.gz"
        sitk.WriteImage(phantom.volume.to_image(), str(path))
        lines.append(path.name)
    # The series, which take longest, are spread over the run.
    lines = lines[3:12] + lines[:1] + lines[12:20] + lines[1:3] + lines[20:]
    (folder / "scans.txt").write_text("\n".join(lines))
    return folder / "scans.txt"


def descendants(parent: int) -> Iterator[int]:
    """Yield the processes that a process has started, directly or not."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    for process in parents:
        above = process
        while above in parents and above != parent:
            above = parents[above]
        if above == parent and process != parent:
            yield process


def kill_a_busy_worker(parent: int) -> None:
    """Kill a Ray actor that segments a scan."""
    for process in descendants(parent):
        if b"_Worker.run" in Path("/proc", str(process), "cmdline").read_bytes():
            os.kill(process, signal.SIGKILL)
            return
    raise AssertionError("no worker is busy")


def done(folder: Path) -> int:
    try:
        return count_states(open_cohort(folder))["done"]
    except InputError:  # not there yet
        return 0


def finished(process: subprocess.Popen[bytes]) -> str:
    printed, errors = process.communicate(timeout=HOUR)
    assert process.returncode == 0, errors.decode()
    return printed.decode()


def cases(folder: Path) -> tuple[Cohort, dict[str, Case]]:
    cohort = open_cohort(folder)
    return cohort, {case.id: case for case in all_cases(cohort)}


def test_ray_with_a_killed_worker_gives_what_local_processes_give(tmp_path: Path) -> None:
    scans = write_list(tmp_path)
    ray = start("batch", scans, "-o", tmp_path / "ray", "--engine", "ray", *OPTIONS)
    while done(tmp_path / "ray") < MIDDLE:
        assert ray.poll() is None, ray.communicate()
        time.sleep(1)
    kill_a_busy_worker(ray.pid)
    printed = finished(ray)
    assert printed.count("failed, and is tried again") == 1
    assert f"Done: {SCANS}. Failed: 0. Waiting: 0." in printed
    finished(start("batch", scans, "-o", tmp_path / "local", *OPTIONS))

    (one, through_ray), (other, through_local) = cases(tmp_path / "ray"), cases(tmp_path / "local")
    assert len(through_ray) == SCANS
    assert through_ray.keys() == through_local.keys()
    assert sorted(case.attempts for case in through_ray.values()) == [1] * (SCANS - 1) + [2]
    assert {case.attempts for case in through_local.values()} == {1}
    cost = {"cpu_seconds", "peak_mb"}
    for name, case in through_ray.items():
        assert {key: value for key, value in case.numbers.items() if key not in cost} == {
            key: value for key, value in through_local[name].numbers.items() if key not in cost
        }
        folders = one.path_of(case.output), other.path_of(through_local[name].output)
        names = [sorted(path.name for path in folder.iterdir()) for folder in folders]
        assert names[0] == names[1]
        for file in ("labels", "infection_probability", "segmentation"):
            images = [sitk.GetArrayFromImage(sitk.ReadImage(str(folder / FILES[file]))) for folder in folders]
            np.testing.assert_array_equal(*images)
