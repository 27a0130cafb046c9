"""What a run notes of the computer: all that may change its numbers, and nothing of whose it is."""

from __future__ import annotations

import getpass
import json
import platform
import subprocess
from pathlib import Path

import torch

from CovidSegLib.runs import environment

ARGUMENTS = {
    "data": Path("/home/somebody/data"),
    "split": "/home/somebody/split.json",
    "test": ["p1", "/a/p2"],
    "seed": 3,
}


def test_paths_and_names_are_left_out() -> None:
    found = environment.describe(torch.device("cpu"), 2, ARGUMENTS)
    assert found["arguments"] == {"data": "data", "split": "split.json", "test": ["p1", "p2"], "seed": 3}
    assert (found["device"], found["processes"]) == ("CPU", 2)
    assert found["packages"]["torch"] == torch.__version__
    text = json.dumps(found)
    assert "somebody" not in text and platform.node() not in text
    assert str(Path.home()) not in text and f"/{getpass.getuser()}" not in text


def test_the_commit_is_known_where_the_sources_are_in_a_repository(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(environment, "REPOSITORY", tmp_path)
    assert environment.describe(torch.device("cpu"), 1, {})["commit"] is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@a"]
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert environment.describe(torch.device("cpu"), 1, {})["commit"] is None  # there is none as yet
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "a"], check=True)
    commit = environment.describe(torch.device("cpu"), 1, {})["commit"]
    assert commit is not None and len(commit) == 40


def test_what_a_run_went_on_with_is_noted_too(tmp_path: Path) -> None:
    for threads in (1, 1, 2, 2, 1):
        environment.note(tmp_path, {"threads": threads})
    assert json.loads((tmp_path / "environment.json").read_text()) == {
        "threads": 1, "resumed": [{"threads": 2}, {"threads": 1}]
    }  # fmt: skip
