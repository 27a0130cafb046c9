"""A part of the faults that run.py tries: those of one quick command."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("needs Linux", allow_module_level=True)

from faults import run
from faults.jobs import ADDRESS, DATA, HALFWAY, INSTALL, MODEL, NOTES
from faults.record import PANEL, read, table, update
from faults.server import served
from support.tiny_data import write_data

#: What the command writes.
NAMES = {"split.json"}
MOUNTED = os.getuid() == 0 and run.can_mount()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults")
    write_data(folder / "data")
    return folder


@pytest.mark.parametrize("moment", run.MOMENTS)
def test_kill_while_a_file_is_written(place: Path, moment: str) -> None:
    assert run.disturb(DATA, place, "kill -9", "", NAMES, mounted=False, dying=(moment, 1)) == ""


@pytest.mark.parametrize("fault", ["SIGTERM", *run.NEED_MOUNT, "clock set back"])
def test_fault_before_the_result_is_written(place: Path, fault: str) -> None:
    if fault in run.NEED_MOUNT and not MOUNTED:
        pytest.skip("needs root, to mount small disks")
    assert run.disturb(DATA, place, fault, 0.5, NAMES, mounted=MOUNTED, dying=None) == ""


def test_a_network_that_is_lost_halfway(tmp_path: Path) -> None:
    """The command is that of `models install`; a model that is not there cannot be installed from its address."""
    (tmp_path / MODEL).write_bytes(b"x" * 100_000)
    with served(tmp_path / MODEL) as (address, network):
        (tmp_path / ADDRESS).write_text(address)
        assert (
            run.disturb(
                INSTALL,
                tmp_path,
                "network lost",
                HALFWAY,
                set(),
                mounted=False,
                dying=None,
                network=network,
                run_again=False,
            )
            == ""
        )
        assert network.halfway.is_set()


def test_results_of_several_runs_make_one_table(tmp_path: Path) -> None:
    update(tmp_path / "record", "data split", {"kill -9": (4, ["left behind"]), "SIGTERM": (1, [])})
    update(tmp_path / "record", PANEL, {"SIGTERM": (1, [])})
    update(tmp_path / "record", "data split", {"kill -9": (4, [])})
    lines = table(read(tmp_path / "record")).splitlines()
    assert lines[0].startswith("| command | kill -9 | SIGTERM |")
    assert lines[2].startswith("| `data split` | 4 of 4 | 1 of 1 | - |")
    assert lines[3].startswith("| the panel's run | - | 1 of 1 | - |")


def test_problems_are_noticed(place: Path) -> None:
    """The check itself, with a command that leaves things behind or damages a file of the user."""
    with run.small_disk(place, mounted=False) as out:
        trial = run.Trial(None, out, place / "clock")  # type: ignore[arg-type]
        assert "exit code 1" in run.problem_of(DATA, "SIGTERM", 1, trial, NAMES)
        assert "incomplete" in run.problem_of(DATA, "SIGTERM", 0, trial, NAMES)
        assert run.problem_of(DATA, "SIGTERM", 3, trial, NAMES) == ""
        (out / "split.json.new").touch()
        assert "left behind" in run.problem_of(DATA, "SIGTERM", 3, trial, NAMES)
        assert run.problem_of(DATA, "kill -9", -9, trial, NAMES) == ""
        (out / NOTES).write_text("changed")
        assert "changed" in run.problem_of(DATA, "SIGTERM", 3, trial, NAMES)
