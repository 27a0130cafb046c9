"""Checkpoints: a full or read-only disk keeps the earlier file, and the layout stays readable for later versions."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support.tiny_case import chest_case
from support.tiny_training import make_task, metrics

from CovidSegLib.errors import Cancelled, InputError
from CovidSegLib.storage import atomic
from CovidSegLib.training import checkpoint, loop


def fail_after_calls(error: BaseException, after: int = 0) -> Callable[..., None]:
    """Return a replacement of `os.fsync` that raises after a number of calls."""
    count, sync = iter(range(1000)), os.fsync

    def fail(handle: int) -> None:
        if next(count) >= after:
            raise error
        sync(handle)

    return fail


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("error", "raised", "sentence"),
    [
        (
            FULL,
            InputError,
            r'The disk is full: ".*last\.pt" was not written\. Free .* and continue with --resume',
        ),
        (
            PermissionError(errno.EACCES, "no", "a/last.pt.new"),
            InputError,
            r'No permission to write to ".*last\.pt"',
        ),
        (Cancelled(), Cancelled, "^$"),
        (OSError(errno.EIO, "Input/output error"), OSError, "Input/output error"),
    ],
)
def test_a_failed_save_keeps_the_earlier_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, raised: type, sentence: str
) -> None:
    path = tmp_path / "last.pt"
    checkpoint.save(path, {"epoch": 1})
    monkeypatch.setattr(atomic.os, "fsync", fail_after_calls(error))
    with pytest.raises(raised, match=sentence):
        checkpoint.save(path, {"epoch": 2})
    assert checkpoint.load(path) == {"epoch": 1}
    assert [each.name for each in tmp_path.iterdir()] == ["last.pt"]


def test_a_training_can_be_resumed_after_the_disk_was_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full in the second epoch. The first one is kept, and no temporary file is left."""
    scans = [chest_case("a")]
    with monkeypatch.context() as patch, pytest.raises(InputError, match="The disk is full"):
        patch.setattr(atomic.os, "fsync", fail_after_calls(FULL, after=5))  # two each for last.pt and metrics.csv
        loop.train_stage(make_task(), scans, scans, tmp_path)
    assert len(metrics(tmp_path)) == 1
    assert not list(tmp_path.glob("*.new"))
    assert loop.train_stage(make_task(), scans, scans, tmp_path).epochs == 3
    assert len(metrics(tmp_path)) == 3


def test_a_damaged_checkpoint_is_reported(tmp_path: Path) -> None:
    (tmp_path / "last.pt").write_bytes(b"half of it")
    with pytest.raises(
        InputError, match=r'"last\.pt" of the run cannot be read\. Delete it to train this stage from the beginning'
    ):
        checkpoint.load(tmp_path / "last.pt")


def test_checkpoints_with_pickled_objects_are_refused(tmp_path: Path) -> None:
    torch.save({"a": chest_case()}, tmp_path / "last.pt")
    with pytest.raises(InputError, match="cannot be read"):
        checkpoint.load(tmp_path / "last.pt")


def test_the_layout_of_a_checkpoint_is_stable(tmp_path: Path) -> None:
    """Runs of earlier versions can only be resumed as long as order, keys and columns stay as they are."""
    scans = [chest_case("a")]
    loop.train_stage(make_task(), scans, scans, tmp_path)
    state = checkpoint.load(tmp_path / "last.pt")
    assert state is not None and list(state) == ["parts", "split"] and state["split"] == 1
    network, average, optimiser, schedule, early_stopping, log = state["parts"]
    assert list(average) == ["n_averaged", *(f"module.{key}" for key in network)]
    assert list(optimiser) == ["state", "param_groups"]
    assert {"total_steps", "last_epoch", "_step_count"} <= schedule.keys()
    assert list(early_stopping) == ["lowest", "waited"]
    assert list(log) == ["rows"]
    assert [list(row) for row in log["rows"]] == [
        ["epoch", "loss", "validation_dice", "learning_rate", "seconds", "validation_loss"]
    ] * 3  # fmt: skip
