"""A disk that is full or may not be written spoils nothing, and is told."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support.tiny_case import chest_case
from support.tiny_training import STAGE, TRAINING, metrics

from CovidSegLib.errors import Cancelled, InputError
from CovidSegLib.storage import atomic
from CovidSegLib.training import checkpoint, loop


def failing(error: BaseException, after: int = 0) -> Callable[..., None]:
    """In place of `os.fsync`: raises after so many calls."""
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
def test_what_fails_leaves_the_earlier_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, raised: type, sentence: str
) -> None:
    path = tmp_path / "last.pt"
    checkpoint.save(path, {"epoch": 1})
    monkeypatch.setattr(atomic.os, "fsync", failing(error))
    with pytest.raises(raised, match=sentence):
        checkpoint.save(path, {"epoch": 2})
    assert checkpoint.load(path) == {"epoch": 1}
    assert [each.name for each in tmp_path.iterdir()] == ["last.pt"]


def test_a_training_on_a_disk_that_fills_up_can_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its second epoch; the first one is kept, and nothing is left beside it."""
    scans = [chest_case("a")]
    with monkeypatch.context() as patch, pytest.raises(InputError, match="The disk is full"):
        patch.setattr(atomic.os, "fsync", failing(FULL, after=5))  # two each for last.pt and metrics.csv
        loop.train_stage("infection", STAGE, TRAINING, scans, scans, tmp_path)
    assert len(metrics(tmp_path)) == 1
    assert not list(tmp_path.glob("*.new"))
    assert loop.train_stage("infection", STAGE, TRAINING, scans, scans, tmp_path).epochs == 3
    assert len(metrics(tmp_path)) == 3


def test_a_damaged_checkpoint_is_told(tmp_path: Path) -> None:
    (tmp_path / "last.pt").write_bytes(b"half of it")
    with pytest.raises(InputError, match=r"“last.pt” of the run cannot be read; delete it to start this stage anew"):
        checkpoint.load(tmp_path / "last.pt")


def test_checkpoints_hold_no_objects(tmp_path: Path) -> None:
    torch.save({"a": chest_case()}, tmp_path / "last.pt")
    with pytest.raises(InputError, match="cannot be read"):
        checkpoint.load(tmp_path / "last.pt")
