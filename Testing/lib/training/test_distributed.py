"""Distributed training gives the same result as a single process."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.command_line import LIBRARY, TIMEOUT, start
from support.tiny_data import RECIPE, write_data, write_recipe

from CovidSegLib import models
from CovidSegLib.cli import main as cli

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "CovidSegLib"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(LIBRARY)}
#: Replacements in the recipe: patches, which a CPU trains in float32, normalised within an image.
CHANGED = {
    "slices = { size = [32, 32] }": "patches = { size = [8, 16, 16] }",
    "spatial_dims = 2": "spatial_dims = 3",
    'norm_name = "batch"': 'norm_name = "instance"',
    '{ name = "chest-ct" }, ': "",
}


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Arguments of `covidseg train` except for the folder of the run.

    The Dice loss is computed over the whole batch, and the augmentation is random.
    """
    folder = tmp_path_factory.mktemp("together")
    write_data(folder)
    text = RECIPE
    for old, new in CHANGED.items():
        assert old in text
        text = text.replace(old, new)
    recipe = write_recipe(folder, text)
    people = ["--validation", "p2", "--test", "p3"]
    return ["train", str(recipe), "--data", str(folder), *people, "--epochs", "3", "--workers", "1", "--out"]


def losses(run: Path) -> list[float]:
    with (run / "infection" / "metrics.csv").open(newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def run_distributed(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TORCHRUN, *arguments], env=ENVIRONMENT, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )


@pytest.mark.slow
def test_two_processes_train_like_one(given: list[str], tmp_path: Path) -> None:
    one = start(*given, tmp_path / "one", env={"OMP_NUM_THREADS": "1"})
    assert (one.communicate(timeout=TIMEOUT), one.returncode)[1] == cli.DONE
    two = run_distributed(*given, str(tmp_path / "two"))
    assert two.returncode == 0, two.stderr
    assert two.stdout.count("infection: epoch") == 3  # only the main process reports
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-5)
    assert models.find_model(tmp_path / "two").verified_weights()
