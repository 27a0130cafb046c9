"""The software bill of materials can be built, and lists what CovidSeg needs at run time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]

pytest.importorskip("cyclonedx_py", reason='needs the extra "sbom"')


def normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


@pytest.mark.skipif(sys.platform == "win32", reason="the command is a shell script")
def test_it_lists_the_run_time_dependencies(tmp_path: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = [ROOT / ".ci" / "sbom", tmp_path / "covidseg.cdx.json", sys.executable]
    subprocess.run(command, cwd=tmp_path, env={**os.environ, "PATH": path}, check=True)
    document = json.loads((tmp_path / "covidseg.cdx.json").read_text(encoding="utf-8"))
    assert document["bomFormat"] == "CycloneDX"
    root = document["metadata"]["component"]
    assert (root["name"], root["type"]) == ("covidseg", "application")
    components = {normal(item["name"]): item for item in document["components"]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {normal(item.name): item.specifier for item in map(Requirement, project["dependencies"])}
    for name, versions in needed.items():
        assert versions.contains(components[name]["version"], prereleases=True), name
        assert components[name]["purl"].startswith("pkg:pypi/")
    on = next(item["dependsOn"] for item in document["dependencies"] if item["ref"] == root["bom-ref"])
    assert {components[name]["bom-ref"] for name in needed} <= set(on)
