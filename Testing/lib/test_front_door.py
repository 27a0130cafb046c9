"""The public names of the library: `import CovidSegLib as cs`."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import CovidSegLib as cs

PUBLIC = {
    "Grid",
    "Segmentation",
    "Volume",
    "__version__",
    "find_model",
    "open_data",
    "quantify",
    "read_volume",
    "segment",
    "surfaces_of",
    "write_results",
}
PACKAGE = Path(cs.__file__).parent
#: Packages that are slow to load, or that must not be loaded into Slicer's process.
HEAVY = ("torch", "monai", "SimpleITK", "vtkmodules", "matplotlib", "numpy", "scipy")


def test_the_public_names() -> None:
    assert set(cs.__all__) == PUBLIC
    assert set(dir(cs)) >= PUBLIC
    for name in PUBLIC:
        assert getattr(cs, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        cs.nothing  # noqa: B018


def test_type_checkers_see_the_same_names() -> None:
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    imported = {alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert imported | {"__version__"} == PUBLIC
    assert (PACKAGE / "py.typed").exists()


def test_importing_the_package_loads_nothing_heavy() -> None:
    script = f"import sys, CovidSegLib; sys.exit(str([name for name in {HEAVY} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", script], cwd=PACKAGE.parent, capture_output=True, text=True)
    assert done.stderr.strip() == "[]"


def test_volumes_and_models_load_no_torch() -> None:
    """Slicer's process uses these and must not load torch."""
    script = "import sys, CovidSegLib as cs; cs.Volume, cs.Grid, cs.Segmentation, cs.find_model, cs.quantify; "
    script += "sys.exit(int('torch' in sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], cwd=PACKAGE.parent).returncode == 0


def test_from_a_file_to_results(tmp_path: Path) -> None:
    """Use the public functions one after the other."""
    from support.phantoms import UPPER, phantom_on

    from CovidSegLib.outputs.writing import write_image

    write_image(tmp_path / "ct.nii.gz", phantom_on(UPPER).volume.to_image())
    volume = cs.read_volume(tmp_path / "ct.nii.gz")
    result = cs.segment(volume, cs.find_model())
    assert cs.quantify(volume, result)["lungs"]["both"]["infection_ml"] > 0
    assert set(cs.surfaces_of(result)) == {"lungs", "infection"}
    files = cs.write_results(tmp_path / "out", volume, result, skip=["overview"])
    assert {path.name for path in files} >= {"report.json", "labels.nii.gz"}
