"""A file is written completely or keeps its earlier content."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from CovidSegLib.errors import InputError
from CovidSegLib.storage import atomic
from CovidSegLib.storage.disk_errors import explain_disk_errors


def test_a_full_disk_keeps_the_earlier_file(tmp_path: Path) -> None:
    """/dev/full accepts nothing."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")

    def write(temporary: Path) -> None:
        temporary.symlink_to("/dev/full")
        temporary.write_bytes(bytes(100000))

    path = tmp_path / "last.pt"
    path.write_bytes(b"earlier")
    with pytest.raises(InputError, match=r'The disk is full: ".*last\.pt" was not written'), explain_disk_errors(path):
        atomic.write_atomically(path, write)
    assert path.read_bytes() == b"earlier"
    assert [each.name for each in tmp_path.iterdir()] == ["last.pt"]


def test_the_renaming_reaches_the_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is flushed first, and its folder after the file has its name."""
    synced: list[tuple[bool, bool]] = []

    def sync(handle: int) -> None:
        synced.append((stat.S_ISDIR(os.fstat(handle).st_mode), (tmp_path / "last.pt").exists()))

    monkeypatch.setattr(atomic.os, "fsync", sync)
    atomic.write_bytes_atomically(tmp_path / "last.pt", b"content")
    assert synced == [(False, False), (True, True)]


def test_errors_name_the_final_file(tmp_path: Path) -> None:
    def write(temporary: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(temporary))

    with pytest.raises(PermissionError) as caught:
        atomic.write_atomically(tmp_path / "card.json", write)
    assert caught.value.filename == str(tmp_path / "card.json")


def test_text_has_the_same_bytes_on_every_system(tmp_path: Path) -> None:
    atomic.write_json_atomically(tmp_path / "card.json", {"title": "für Lungen"})
    assert (tmp_path / "card.json").read_bytes() == '{\n "title": "für Lungen"\n}\n'.encode()


@pytest.mark.parametrize(
    ("code", "only_known", "sentence"),
    [
        (errno.ENOSPC, False, 'The disk is full: "out" was not written. Make room.'),
        (errno.EROFS, False, 'No permission to write to "out", or another program has it open. Go elsewhere.'),
        (errno.ENOTDIR, True, '"out" cannot be written, because it or a folder above it is a file. Go elsewhere.'),
        (errno.EIO, False, '"out" cannot be written (reason). Go elsewhere.'),
        (errno.EIO, True, None),
        (errno.EPIPE, False, None),
    ],
)
def test_disk_errors_are_explained(code: int, only_known: bool, sentence: str | None) -> None:
    error = OSError(code, "reason")
    explained = explain_disk_errors(Path("out"), remedy="Go elsewhere.", if_full="Make room.", only_known=only_known)
    with pytest.raises((InputError, OSError)) as caught, explained:
        raise error
    assert caught.value is error if sentence is None else str(caught.value) == sentence
