"""`covidseg train`: a run becomes a model, and a resumed run ends with the same weights."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.command_line import LIBRARY, TIMEOUT, start
from support.tiny_data import RECIPE, write_data, write_recipe

from CovidSegLib import models, recipes
from CovidSegLib.cli import main as cli
from CovidSegLib.data.split import Split
from CovidSegLib.errors import InputError
from CovidSegLib.models.loading import recipe_of
from CovidSegLib.runs.config import RunConfig, prepare_run

ONE_THREAD = {"OMP_NUM_THREADS": "1"}
SPLIT = ("--validation", "p2", "--test", "p3")
LOSSES = ("epoch", "loss", "validation_dice", "learning_rate")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of data and a recipe."""
    folder = tmp_path_factory.mktemp("train")
    write_data(folder / "data")
    write_recipe(folder)
    return folder


@pytest.fixture(scope="module")
def uninterrupted(place: Path) -> Path:
    """An uninterrupted run, in its own process like the others."""
    process = start("train", *arguments(place, "uninterrupted"), env=ONE_THREAD)
    output, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == cli.DONE, errors.decode()
    assert output.decode().count("infection: epoch") == 6
    return place / "uninterrupted"


def arguments(place: Path, run: str, *more: str) -> list[str]:
    """Return arguments of `covidseg train`."""
    return [str(place / "tiny.toml"), "--data", str(place / "data"), "--out", str(place / run), *SPLIT, *more]


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "infection" / "metrics.csv").open(newline="") as file:
        return [{key: row[key] for key in LOSSES} for row in csv.DictReader(file)]


def test_a_finished_run_is_a_model(uninterrupted: Path) -> None:
    model = models.find_model(uninterrupted)
    assert model.verified_weights()
    assert recipe_of(model).name == "tiny"
    assert model.card["trained_on"] == ["p1"]
    assert model.card["never_trained_on"] == ["p2", "p3"]


def test_a_run_records_how_it_was_made(uninterrupted: Path) -> None:
    """It records no folder and no name of the computer."""
    assert json.loads((uninterrupted / "split.json").read_text()) == {
        "train": ["p1"], "validation": ["p2"], "test": ["p3"], "seed": 0
    }  # fmt: skip
    facts = json.loads((uninterrupted / "training.json").read_text())
    dice = [float(row["validation_dice"]) for row in rows(uninterrupted) if row["validation_dice"]]
    assert facts["stages"]["infection"]["epochs"] == 6
    assert facts["stages"]["infection"]["validation_dice"] == pytest.approx(dice[-1], abs=1e-4)
    assert facts["stages"]["infection"]["kept"] == "averaged"
    assert facts["versions"]["torch"]
    environment = json.loads((uninterrupted / "environment.json").read_text())
    assert environment["packages"]["torch"] and environment["threads"] == 1
    given = environment["arguments"]
    assert (given["recipe"], given["data"], given["validation"]) == (["tiny.toml"], "data", ["p2"])
    texts = "".join(path.read_text() for path in (*uninterrupted.glob("*.json"), uninterrupted / "recipe.toml"))
    assert str(uninterrupted.parent) not in texts and os.uname().nodename not in texts
    assert [row["epoch"] for row in rows(uninterrupted)] == ["1", "2", "3", "4", "5", "6"]
    assert sorted(path.name for path in (uninterrupted / "infection" / "pictures").iterdir()) == [
        "p2_run0-epoch-0004.png", "p2_run0-epoch-0006.png"
    ]  # fmt: skip


def test_tensorboard_shows_the_same_metrics(uninterrupted: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(uninterrupted / "infection" / "tensorboard"))
    board.Reload()
    losses = [event.value for event in board.Scalars("loss")]
    assert losses == pytest.approx([float(row["loss"]) for row in rows(uninterrupted)], abs=1e-5)
    assert len(board.Scalars("validation_dice")) == 2


def wait_for_epoch(process: subprocess.Popen[bytes], epoch: int) -> None:
    assert process.stdout
    for line in process.stdout:
        if f"infection: epoch {epoch},".encode() in line:
            return
    pytest.fail(f"ended before epoch {epoch}")


def kill_during_an_epoch(place: Path, run: Path) -> int:
    """Kill a run at a random moment of its third epoch; return the exit code."""
    process = start("train", *arguments(place, str(run)), env=ONE_THREAD)
    wait_for_epoch(process, 2)
    time.sleep(random.uniform(0.0, 0.1))
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=TIMEOUT)
    return process.returncode


def kill_during_a_checkpoint(place: Path, run: Path) -> int:
    """Kill a run when the checkpoint of the third epoch is half written; return the exit code."""
    dying = [sys.executable, str(Path(__file__).parents[2] / "support" / "dying.py"), "half:last.pt", "3", "train"]
    environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(LIBRARY)}
    process = subprocess.run(
        [*dying, *arguments(place, str(run))], env=environment, capture_output=True, timeout=TIMEOUT, check=False
    )
    assert (run / "infection" / "last.pt.new").exists()
    return process.returncode


@pytest.mark.parametrize("kill", [pytest.param(kill_during_an_epoch, marks=pytest.mark.slow), kill_during_a_checkpoint])
def test_a_killed_run_ends_like_an_uninterrupted_one(
    place: Path, uninterrupted: Path, tmp_path: Path, kill: Callable[[Path, Path], int]
) -> None:
    """The run is killed with SIGKILL, and resumed with another number of workers."""
    run = tmp_path / "killed"
    assert kill(place, run) == -signal.SIGKILL
    assert not (run / "card.json").exists()
    process = start("train", *arguments(place, str(run), "--resume", "--workers", "0"), env=ONE_THREAD)
    output, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == cli.DONE, errors.decode()
    assert 0 < output.decode().count("infection: epoch") < 6  # it was resumed, not started again
    assert (run / "model.safetensors").read_bytes() == (uninterrupted / "model.safetensors").read_bytes()
    assert (run / "training.json").read_bytes() == (uninterrupted / "training.json").read_bytes()
    assert rows(run) == rows(uninterrupted)
    assert not list(run.rglob("*.new"))


def test_ctrl_c_reports_how_to_resume(place: Path, tmp_path: Path) -> None:
    """The signal reaches the worker processes too, as in a terminal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
    process = start(
        "train", *arguments(place, str(tmp_path / "stopped"), "--epochs", "200"), env=ONE_THREAD, start_new_session=True
    )
    signal.signal(signal.SIGINT, before)
    wait_for_epoch(process, 1)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == cli.CANCELLED
    assert (
        errors.decode() == "Cancelled; run the same command with --resume to continue after the last complete epoch.\n"
    )


# Unusable arguments


def refused(capsys: pytest.CaptureFixture[str], given: list[str]) -> str:
    """Return the sentence with which `covidseg train` refuses its arguments."""
    assert cli.main(["train", *given]) == cli.UNUSABLE
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    return message


def test_a_run_is_not_overwritten(place: Path, uninterrupted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (uninterrupted / "model.safetensors").read_bytes()
    assert '"uninterrupted" already holds a run. Resume it with --resume' in refused(
        capsys, arguments(place, "uninterrupted")
    )
    assert "started with another settings.json" in refused(
        capsys, arguments(place, "uninterrupted", "--resume", "--seed", "1")
    )
    assert "another recipe.toml" in refused(capsys, arguments(place, "uninterrupted", "--resume", "--epochs", "9"))
    assert (uninterrupted / "model.safetensors").read_bytes() == before


def test_a_run_resumes_only_with_the_same_start(
    place: Path, uninterrupted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A copy of the start under another name is accepted, and no start is refused."""
    run, again = tmp_path / "run", shutil.copytree(uninterrupted, tmp_path / "again")
    given = arguments(place, str(run), "--epochs", "1")
    assert cli.main(["train", *given, "--start", str(uninterrupted)]) == cli.DONE
    capsys.readouterr()
    assert "started with another settings.json" in refused(capsys, [*given, "--resume"])
    assert cli.main(["train", *given, "--resume", "--start", str(again)]) == cli.DONE


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--validation", "p9"], 'There is no patient "p9"; there are: p1, p2, p3.'),
        (["--validation", "p2", "--test", "p2"], 'The patient "p2" is named twice'),
        (["--validation", "p1", "--test", "p2", "p3"], "No patient is left to train on"),
        (["--test", "p3"], "Name validation patients"),
        (["--whole-scans", "x"], 'There is no whole scan "x"'),
        (["--stage", "lungs", *SPLIT], 'The recipe tiny has no stage "lungs"; it has infection.'),
        (["--split", "none.json", *SPLIT], "Give the patients either by --split, or by --validation and --test"),
        (["--start", "nothing", *SPLIT], '"nothing" is not a finished run'),
        (["--ablation", "x", *SPLIT], "has no ablation"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], sentence: str
) -> None:
    given = [str(place / "tiny.toml"), "--data", str(place / "data"), "--out", str(tmp_path / "run"), *more]
    assert sentence in refused(capsys, given)


def test_a_folder_that_cannot_be_made_is_refused(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("data")
    reason = "cannot be written, because it or a folder above it is a file"
    assert f'file" {reason}' in refused(capsys, arguments(place, str(tmp_path / "file")))
    assert f'run" {reason}' in refused(capsys, arguments(place, str(tmp_path / "file" / "run")))
    assert (tmp_path / "file").read_text() == "data"


def test_a_run_can_be_resumed_when_the_library_has_reworded_its_recipe(tmp_path: Path) -> None:
    text = RECIPE.strip() + "\n"
    split = Split(("a",), ("b",), (), 0)
    prepare_run(tmp_path, RunConfig(text, recipes.parse(text, "tiny"), split, ("infection",)), resume=False)
    reworded = text.replace("A tiny network for tests.", "A small network.")
    config = RunConfig(reworded, recipes.parse(reworded, "tiny"), split, ("infection",))
    prepare_run(tmp_path, config, resume=True)
    assert (tmp_path / "recipe.toml").read_text() == text
    other = text.replace("batch = 4", "batch = 5")
    with pytest.raises(InputError, match=r"was started with another recipe\.toml"):
        prepare_run(tmp_path, RunConfig(other, recipes.parse(other, "tiny"), split, ("infection",)), resume=True)


def test_a_run_killed_before_its_first_epoch_can_be_started(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml.new").write_text("half")
    text = RECIPE.strip() + "\n"
    config = RunConfig(text, recipes.parse(text, "tiny"), Split(("a",), ("b",), (), 0), ("infection",))
    prepare_run(tmp_path, config, resume=True)
    assert (tmp_path / "recipe.toml").read_text() == text
    (tmp_path / "settings.json").unlink()
    prepare_run(tmp_path, config, resume=True)
    assert (tmp_path / "settings.json").exists()
    assert not list(tmp_path.glob("*.new"))
