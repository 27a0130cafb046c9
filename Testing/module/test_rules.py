"""What each part may import, and files that must agree with each other."""

import ast
import json
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
MODULE, LIBRARY = ROOT / "CovidSeg", ROOT / "CovidSegLib"
PACKAGE = MODULE / "CovidSegModule"
WIDGET_MODULES = {"qt", "ctk", "PythonQt", "PySide6"}
#: Packages that must not be loaded into Slicer's process, because it crashes or because they are not installed there.
CHILD_ONLY = {
    "torch",
    "monai",
    "openvino",
    "torchvision",
    "skimage",
    "safetensors",
    "matplotlib",
    "highdicom",
    "pynetdicom",
}


def imports(path):
    """Return the dotted names of everything that a file imports, also inside functions.

    Relative imports are resolved. `from a import b` gives "a" and "a.b".
    """
    top = MODULE if MODULE in path.parents else ROOT
    package = path.relative_to(top).parent.parts
    names = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in [node for node in ast.walk(tree) if isinstance(node, ast.If)]:
        if getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []  # is not run
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            name = ".".join([*base, *filter(None, [node.module])])
            names.update({name, *(f"{name}.{alias.name}" for alias in node.names)})
    return names


def top_level(names):
    return {name.partition(".")[0] for name in names}


def python_files(folder):
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def parametrize_files(folder):
    files = python_files(folder)
    assert files
    return pytest.mark.parametrize("path", files, ids=lambda path: path.relative_to(folder).as_posix())


@parametrize_files(LIBRARY)
def test_the_library_does_not_import_slicer(path):
    assert not top_level(imports(path)) & {"slicer", *WIDGET_MODULES}


@parametrize_files(MODULE)
def test_torch_is_not_loaded_into_slicer(path):
    assert not top_level(imports(path)) & CHILD_ONLY


@parametrize_files(MODULE)
def test_only_the_folder_widgets_touches_widgets(path):
    names = imports(path)
    if PACKAGE / "widgets" in path.parents:
        return
    assert not top_level(names) & WIDGET_MODULES
    if path.name != "CovidSeg.py":
        assert not any(name.startswith("CovidSegModule.widgets") for name in names), "imports the panel"


@parametrize_files(PACKAGE / "scene")
def test_the_folder_scene_needs_no_application(path):
    assert "slicer.app" not in path.read_text(encoding="utf-8")
    assert not any(name.startswith(("CovidSegModule.logic", "CovidSegModule.process")) for name in imports(path))


def test_the_module_file_is_short():
    assert len((MODULE / "CovidSeg.py").read_text(encoding="utf-8").splitlines()) < 150
    for path in python_files(MODULE):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path.name


def test_every_section_has_logic_widgets_and_ui():
    """A section is three files of the same name, and tests."""
    sections = {path.stem for path in python_files(PACKAGE / "logic")} - {"__init__"}
    assert sections == {path.stem for path in (MODULE / "Resources" / "UI").glob("*.ui")} - {"CovidSeg"}
    assert {"input", "results"} <= sections
    for name in sections:
        text = (PACKAGE / "widgets" / f"{name}.py").read_text(encoding="utf-8")
        assert f'name = "{name}"' in text, "the section has another name than its file"
        assert (Path(__file__).parent / "widgets" / f"test_{name}.py").is_file()


def test_the_library_code_that_slicer_loads_imports_no_torch():
    """Follows the imports from the module into the library."""
    pending = {"CovidSegLib"} | {name for path in python_files(MODULE) for name in imports(path)}
    seen = set()
    while pending:
        name = pending.pop()
        path = ROOT / Path(*name.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if name in seen or name.partition(".")[0] != "CovidSegLib" or not path.is_file():
            continue
        seen.add(name)
        assert not top_level(imports(path)) & CHILD_ONLY, f"{path.name} is imported by the module"
        pending |= {*imports(path), name.rpartition(".")[0]}  # importing a module imports its package first
    assert {"CovidSegLib.volume", "CovidSegLib.models"} <= seen


def test_requirements_are_those_of_the_package():
    package = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    files = [MODULE / "Resources" / name for name in ("requirements.txt", "requirements_torch.txt")]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    requirements = [str(Requirement(line)) for line in lines if not line.startswith("#")]
    assert set(requirements) <= {str(Requirement(line)) for line in package}


def test_index_entry():
    entry = json.loads((ROOT / "Resources" / "CovidSeg.json").read_text(encoding="utf-8"))
    assert {"$schema", "category", "scm_url"} <= entry.keys()
    assert entry["build_dependencies"] == ["PyTorch"]
    assert entry["category"] == "Segmentation"
