"""The recorded environment of a run: everything that can change its results, and no names of people or computers."""

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


def test_folders_and_names_are_left_out() -> None:
    described = environment.describe(torch.device("cpu"), 2, ARGUMENTS)
    assert described["arguments"] == {"data": "data", "split": "split.json", "test": ["p1", "p2"], "seed": 3}
    assert (described["device"], described["processes"]) == ("CPU", 2)
    assert described["packages"]["torch"] == torch.__version__
    text = json.dumps(described)
    assert "somebody" not in text and platform.node() not in text
    assert str(Path.home()) not in text and f"/{getpass.getuser()}" not in text


def test_the_commit_is_recorded_if_the_sources_are_in_a_repository(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(environment, "REPOSITORY", tmp_path)
    assert environment.describe(torch.device("cpu"), 1, {})["commit"] is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@a"]
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert environment.describe(torch.device("cpu"), 1, {})["commit"] is None  # a repository without commits
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "a"], check=True)
    commit = environment.describe(torch.device("cpu"), 1, {})["commit"]
    assert commit is not None and len(commit) == 40


def test_changed_environments_of_a_resumed_run_are_recorded(tmp_path: Path) -> None:
    for threads in (1, 1, 2, 2, 1):
        environment.record(tmp_path, {"threads": threads})
    assert json.loads((tmp_path / "environment.json").read_text()) == {
        "threads": 1, "resumed": [{"threads": 2}, {"threads": 1}]
    }  # fmt: skip
