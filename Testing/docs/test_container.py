"""The container: its Dockerfile is well-formed, and names files that exist and packages that the library needs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "Resources" / "container"
DOCKERFILE = FOLDER / "Dockerfile"


def test_the_linter_has_nothing_to_say() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed")
    result = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout) == (0, "")


def test_what_is_copied_exists_and_reaches_the_builder() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE.read_text(), re.MULTILINE)
    paths = {path for line in copied for path in line.split()}
    assert paths == {"pyproject.toml", "constraints.txt", "README.md", "LICENSE", "CovidSegLib"} | {
        "Resources/container/requirements.py"
    }
    assert all((ROOT / path).exists() for path in paths)
    ignored = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    assert paths == {line[1:] for line in ignored if line.startswith("!")}


def test_both_targets_run_as_a_user_without_rights() -> None:
    stages = re.split(r"^FROM ", DOCKERFILE.read_text(), flags=re.MULTILINE)
    final = {stage.split()[2]: stage for stage in stages if 'ENTRYPOINT ["covidseg"]' in stage}
    assert final.keys() == {"cpu", "cuda"}
    assert all("\nUSER 10001:10001\n" in stage for stage in final.values())


def test_the_packages_are_those_of_the_library() -> None:
    def packages(*arguments: str) -> list[str]:
        command = [sys.executable, str(FOLDER / "requirements.py"), *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    with_torch = packages("--torch")
    assert [re.split(r"\W", name)[0] for name in with_torch] == ["torch", "monai"]
    assert sorted(packages() + with_torch) == sorted(project["dependencies"])
