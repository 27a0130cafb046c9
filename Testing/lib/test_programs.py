"""Programs are never found in the working directory."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from CovidSegLib.programs import find_program
from CovidSegLib.runs import environment


def make(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).touch(mode=0o755)
    return folder / name


def test_programs_in_the_working_directory_are_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "tool")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.pathsep.join([".", ""]))
    assert find_program("tool") is None
    monkeypatch.setenv("PATH", os.pathsep.join([".", str(tmp_path / "bin")]))
    there = make(tmp_path / "bin", "tool")
    assert find_program("tool") == str(there)
    first = make(tmp_path / "first", "tool")
    assert find_program("tool", [tmp_path / "none", tmp_path / "first"]) == str(first)


def test_the_commit_is_not_asked_from_a_program_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "git").write_text("#!/bin/sh\necho planted\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", ".")
    assert environment._commit() is None


def test_every_child_process_gets_a_safe_environment() -> None:
    """Python started without one runs modules of the working directory."""
    root = Path(environment.__file__).parents[2]
    found = []
    for path in sorted([*(root / "CovidSegLib").rglob("*.py"), *(root / "CovidSeg").rglob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("subprocess.Popen", "subprocess.run"):
                variables = next((ast.unparse(item.value) for item in node.keywords if item.arg == "env"), "")
                found.append(path.name)
                started_by_path = path.name == "environment.py" or "taskkill" in ast.unparse(node)
                assert started_by_path or variables.startswith("environment"), f"{path}:{node.lineno}"
    assert {"rendering.py", "worker.py", "verification.py"} <= set(found)
