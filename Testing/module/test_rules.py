"""What may be imported where, and that CMake installs every file there is."""

import ast
import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
MODULE, LIBRARY = ROOT / "CovidSeg", ROOT / "CovidSegLib"
#: What CMake installs of a folder; weights come with the library.
INSTALLED = {".py", ".ui", ".png", ".txt", ".json", ".toml", ".safetensors"}
WIDGET_MODULES = {"qt", "ctk", "PythonQt", "PySide6"}


def imports(path):
    """Top-level names of what a file imports anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.partition(".")[0])
    return names


def python_files(folder):
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


@pytest.mark.parametrize("path", python_files(LIBRARY), ids=lambda path: str(path.relative_to(LIBRARY)))
def test_the_library_knows_no_slicer(path):
    assert not imports(path) & {"slicer", *WIDGET_MODULES}


@pytest.mark.parametrize("path", python_files(MODULE), ids=lambda path: str(path.relative_to(MODULE)))
def test_torch_stays_out_of_slicer(path):
    heavy = {"torch", "monai", "torchvision", "skimage", "safetensors", "matplotlib"}
    assert not imports(path) & heavy
    if path.name != "CovidSeg.py":
        assert not imports(path) & WIDGET_MODULES
    if path.name in ("scene.py", "tables.py", "choices.py"):
        assert "slicer.app" not in path.read_text(encoding="utf-8")


def test_what_slicer_imports_of_the_library_loads_no_torch():
    """The library's own files that the module imports, and what these import in turn."""
    heavy = {"torch", "monai", "skimage", "safetensors", "matplotlib"}
    pending = {"CovidSegLib"} | {name for path in python_files(MODULE) for name in _library_modules(path)}
    seen = set()
    while pending:
        name = pending.pop()
        path = ROOT / Path(*name.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if name in seen or not path.is_file():
            continue
        seen.add(name)
        assert not imports(path) & heavy, f"{path.name} is imported by the module"
        pending |= _library_modules(path)
    assert "CovidSegLib.volume" in seen


def _library_modules(path):
    """Dotted names of the modules of the library that a file imports."""
    package = path.relative_to(ROOT).parent.parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*base, *filter(None, [node.module])])
            found.update({base, *(f"{base}.{alias.name}" for alias in node.names)})
    return {name for name in found if name.partition(".")[0] == "CovidSegLib"}


@pytest.mark.parametrize("folder", [MODULE, LIBRARY], ids=lambda path: path.name)
def test_cmake_installs_every_file(folder):
    text = (folder / "CMakeLists.txt").read_text(encoding="utf-8")
    text = re.sub(r"#.*", "", text).replace("${MODULE_NAME}", folder.name)
    lists = re.findall(r"set\(MODULE_PYTHON_(?:SCRIPTS|RESOURCES)\s+([^)]*)\)", text)
    assert len(lists) == 2
    listed = " ".join(lists).split()
    files = (path for path in folder.rglob("*") if path.suffix in INSTALLED and path.name != "CMakeLists.txt")
    there = {path.relative_to(folder).as_posix() for path in files if "__pycache__" not in path.parts}
    assert sorted(listed) == sorted(set(listed)), "listed twice"
    assert there - set(listed) == set(), "not listed in CMakeLists.txt"
    assert set(listed) - there == set(), "listed in CMakeLists.txt but not there"


def test_requirements_are_those_of_the_package():
    package = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    lines = (MODULE / "Resources" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [str(Requirement(line)) for line in lines if not line.startswith("#")]
    assert set(wanted) <= {str(Requirement(line)) for line in package}


def test_index_entry():
    entry = json.loads((ROOT / "Resources" / "CovidSeg.json").read_text(encoding="utf-8"))
    assert {"$schema", "category", "scm_url"} <= entry.keys()
    assert entry["build_dependencies"] == ["PyTorch"]
    assert entry["category"] == "Segmentation"
