"""Programs of others that read and check DICOM objects: dcmqi, dciodvfy and dicom-validator."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import highdicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset

from CovidSegLib.volume import Grid


def dcmqi(program: str, *arguments: object) -> None:
    """Run a program of dcmqi, which is installed beside Python."""
    path = shutil.which(program, path=str(Path(sys.executable).parent))
    if path is None:
        pytest.skip("dcmqi is not installed: pip install dcmqi")
    done = subprocess.run([path, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def read_segments(file: Path, folder: Path, grid: Grid) -> dict[str, Any]:
    """Read a segmentation with dcmqi.

    Returns:
        Masks (z, y, x) on the grid by the label of the segment, and under "" the metadata of the segments by label.
    """
    folder.mkdir()
    dcmqi("segimage2itkimage", "--inputDICOM", file, "--outputDirectory", folder, "-p", "x", "-t", "nrrd")
    (meta,) = folder.glob("*.json")
    segments = json.loads(meta.read_text())["segmentAttributes"]
    found: dict[str, Any] = {"": {}}
    reference = sitk.Image([int(size) for size in grid.shape[::-1]], sitk.sitkUInt8)
    reference.SetSpacing(grid.spacing)
    reference.SetOrigin(grid.origin)
    reference.SetDirection(grid.direction)
    for number, (attributes,) in enumerate(segments, start=1):
        image = sitk.ReadImage(str(folder / f"x-{number}.nrrd"))
        image = sitk.Resample(image, reference, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
        found[attributes["SegmentLabel"]] = sitk.GetArrayFromImage(image) > 0
        found[""][attributes["SegmentLabel"]] = attributes
    return found


def read_report(file: Path, output: Path) -> dict[str, Any]:
    """Read a structured report by TID 1500 with dcmqi."""
    dcmqi("tid1500reader", "--inputDICOM", file, "--outputMetadata", output)
    return json.loads(output.read_text())


def dciodvfy_errors(file: Path) -> list[str]:
    """Return the errors that dciodvfy of dicom3tools finds."""
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy is not installed: apt-get install dicom3tools")
    done = subprocess.run([program, str(file)], capture_output=True, text=True, timeout=120)
    lines = (done.stdout + done.stderr).splitlines()
    return [line for line in lines if line.startswith("Error")]


def missing_attributes(data: Dataset) -> list[str]:
    """Return required attributes that a segmentation lacks, by the tables of the standard that highdicom has.

    These are attributes of type 1 and 2, and values of type 1, of all mandatory modules and of those sequences which
    the object has. Conditions are not evaluated. Functional groups are left out, because they are either shared or in
    each frame.
    """
    tables = Path(highdicom.__file__).parent / "_standard"
    iods, modules, attributes = (
        json.loads((tables / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("sop_class_iod_map", "iod_module_map", "module_attribute_map")
    )
    found = []
    for module in modules[iods[data.SOPClassUID]]:
        required = module["usage"] == "M" and not module["key"].endswith("functional-groups")
        for attribute in attributes[module["key"]] if required else []:
            if attribute["type"] in ("1", "2"):
                keyword, needs_value = attribute["keyword"], attribute["type"] == "1"
                for item in _items(data, attribute["path"]):
                    if keyword not in item or (needs_value and item[keyword].is_empty):
                        found.append("/".join([module["key"], *attribute["path"], keyword]))
    return found


def _items(data: Dataset, path: list[str]) -> list[Dataset]:
    """Return the items of nested sequences, none if one of them is missing."""
    items = [data]
    for keyword in path:
        items = [inner for item in items for inner in item.get(keyword) or []]
    return items


def validator_errors(files: list[Path]) -> str:
    """Return the errors that dicom-validator finds. It needs a copy of the standard."""
    standard = Path.home() / "dicom-validator"
    if not list(standard.glob("*/json")):
        pytest.skip(f"dicom-validator has no copy of the standard in {standard}; `validate_iods FILE` downloads it")
    command = [sys.executable, "-m", "dicom_validator.validate_iods", "--edition", "local", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return "" if done.returncode == 0 else done.stdout + done.stderr
