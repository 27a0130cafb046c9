"""The script for Slurm starts the part that the task stands for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "slurm" / "cohort.sbatch"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="Slurm does not run on Windows")


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A search path with a `covidseg` that prints its arguments."""
    program = tmp_path / "covidseg"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o700)
    return f"{tmp_path}{os.pathsep}{os.environ['PATH']}"


def submit(path: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", SCRIPT, *arguments], env={"PATH": path, **variables}, capture_output=True, text=True, timeout=60
    )


def test_each_task_has_its_part(path: str) -> None:
    task = {"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_MAX": "100"}
    done = submit(path, "my cohort", "--skip", "surfaces", **task)
    expected = ["batch", "-o", "my cohort", "--part", "7/100", "--progress", "none", "--skip", "surfaces"]
    assert (done.returncode, done.stdout.splitlines()) == (0, expected)


def test_an_array_that_does_not_begin_at_one_is_refused(path: str) -> None:
    task = {"SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_TASK_MIN": "0", "SLURM_ARRAY_TASK_MAX": "9"}
    assert "from 1" in submit(path, "cohort", **task).stderr
    assert submit(path, "cohort").returncode != 0
