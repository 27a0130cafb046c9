"""Small files of others: pipes, devices and endless or deeply nested files are refused, wherever they are read."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from CovidSegLib import recipes
from CovidSegLib.data import open_data
from CovidSegLib.data.split_files import read_split
from CovidSegLib.errors import InputError
from CovidSegLib.evaluation import calibration_file
from CovidSegLib.models import open_model
from CovidSegLib.reading import read_volume
from CovidSegLib.storage import limited
from CovidSegLib.storage.limited import parse_json, read_limited, read_limited_json, read_limited_text

posix = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")


def kaggle(path: Path) -> object:
    for name in ("ct_scans", "lung_mask", "infection_mask"):
        (path.parent / name).mkdir()
    return open_data(path.parent)


#: By the name of a file: what reads it.
READERS: dict[str, Callable[[Path], object]] = {
    "split.json": lambda path: read_split(path, ["p1"]),
    "tiny.toml": lambda path: recipes.load(str(path)),
    "index.json": lambda path: open_data(path.parent),
    "labels.json": lambda path: open_data(path.parent),
    "metadata.csv": kaggle,
    "card.json": lambda path: open_model(path.parent),
    calibration_file.FILE: lambda path: calibration_file.read(path.parent),
    "ct.nii.gz": read_volume,
    "ct": read_volume,
}


@posix
@pytest.mark.parametrize("kind", ["pipe", "/dev/zero"])
@pytest.mark.parametrize("name", READERS)
def test_a_pipe_or_device_is_refused(tmp_path: Path, name: str, kind: str) -> None:
    """A test that waits for a pipe would never end."""
    folder = tmp_path / ("covid19_ct_seg_hu" if name == "index.json" else "folder")
    folder.mkdir()
    if kind == "pipe":
        os.mkfifo(folder / name)
    else:
        (folder / name).symlink_to(kind)
    with pytest.raises(InputError, match=r"\.$"):
        READERS[name](folder / name)


@pytest.mark.parametrize("name", [name for name in READERS if not name.startswith("ct")])
def test_endless_texts_are_refused(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ("covid19_ct_seg_hu" if name == "index.json" else "folder")
    folder.mkdir()
    with (folder / name).open("wb") as file:
        file.truncate(10**12)  # takes no room on the disk
    with pytest.raises(InputError):
        READERS[name](folder / name)


def test_a_file_is_read_up_to_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_limited(tmp_path / "a", 5) == b"12345"
    with pytest.raises(OSError, match="too large"):
        read_limited(tmp_path / "a", 4)
    monkeypatch.setattr(limited, "check_regular_file", lambda path, limit: None)  # the file grows meanwhile
    with pytest.raises(OSError, match="too large"):
        read_limited(tmp_path / "a", 4)
    with pytest.raises(FileNotFoundError):
        read_limited(tmp_path / "none", 4)


def test_texts_are_read_as_text(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b'\xef\xbb\xbf{"a":\r\n"\xc3\xbc"}')
    assert read_limited_text(tmp_path / "a") == '{"a":\n"ü"}'
    with pytest.raises(ValueError):
        parse_json(100_000 * "[")
    (tmp_path / "b").write_text('{"a": 1}')
    assert read_limited_json(tmp_path / "b") == {"a": 1}


def test_memory_is_reserved_for_the_file_and_not_for_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"x" * 1000)
    tracemalloc.start()
    try:
        assert len(read_limited(path, 2_000_000_000)) == 1000
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
