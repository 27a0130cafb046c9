"""Two trainings in one folder would overwrite each other's files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from CovidSegLib.errors import InputError
from CovidSegLib.storage.lock import exclusive_lock

pytest.importorskip("fcntl")
#: A program that holds the lock until it is killed.
HOLDER = """
import sys
from pathlib import Path
from CovidSegLib.storage.lock import exclusive_lock
with exclusive_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture()
def settings(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "settings.json").write_text("{}")
    return tmp_path / "run" / "settings.json"


@pytest.fixture()
def other(settings: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(settings)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout and process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_refused_until_the_first_one_has_ended(
    settings: Path, other: subprocess.Popen[bytes]
) -> None:
    with (
        pytest.raises(InputError, match=r'Another process is writing to "run"\. Wait until it has ended or end it'),
        exclusive_lock(settings),
    ):
        pytest.fail("two processes hold the lock")
    other.kill()
    other.wait()
    with exclusive_lock(settings):
        assert settings.read_text() == "{}"


def test_the_lock_is_released_at_the_end(settings: Path) -> None:
    for _ in range(2):
        with exclusive_lock(settings):
            pass
