"""Claims on folders on Windows, with a stand-in for its library."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from CovidSegLib.errors import InputError
from CovidSegLib.storage import claim, mutex


@dataclass
class Kernel:
    """Counts the handles of each mutex, as Windows does: it exists while one is open."""

    names: list[str] = field(default_factory=list)
    last_error: int = 0

    def CreateMutexW(self, security: None, owner: bool, name: str) -> int:
        self.last_error = mutex.ALREADY_EXISTS if name in self.names else 0
        self.names.append(name)
        return len(self.names)

    def CloseHandle(self, handle: int) -> None:
        self.names.pop(handle - 1)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel()
    monkeypatch.setattr(mutex, "_kernel", lambda: kernel)
    monkeypatch.setattr(ctypes, "get_last_error", lambda: kernel.last_error, raising=False)
    monkeypatch.setattr(claim, "fcntl", None)
    return kernel


def test_a_folder_is_claimed_by_one_run(kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with claim.claimed_folder(tmp_path / "out"):
        for same in (Path("out"), tmp_path / "x" / ".." / "out"):
            with pytest.raises(InputError, match="Another run of CovidSeg"), claim.claimed_folder(same):
                pytest.fail("claimed twice")
        with claim.claimed_folder(tmp_path / "other"):
            pass
    assert kernel.names == []
    with claim.claimed_folder(tmp_path / "out"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_mutex_that_cannot_be_made_does_not_stop_the_run(kernel: Kernel, tmp_path: Path) -> None:
    """Rights may be missing. Results of a second run are refused at its end."""
    kernel.CreateMutexW = lambda *arguments: None  # type: ignore[method-assign]
    kernel.last_error = 5
    with claim.claimed_folder(tmp_path):
        pass


def test_names_of_mutexes_are_short_and_have_no_backslash() -> None:
    for out in (Path("C:\\a"), Path("x" * 3000), Path("M\udcfcller")):
        name = claim._mutex_name(out)
        assert len(name) < 200 and "\\" not in name
