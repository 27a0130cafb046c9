"""A small chest CT in DICOM with a result, for tests of the exported objects."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset
from pydicom.uid import generate_uid

from CovidSegLib import dicom
from CovidSegLib.segmentation import Segmentation
from CovidSegLib.volume import Grid, GridSpacing, Volume

from .dicom_factory import write_series

PROVENANCE = {
    "created": "2026-01-02T03:04:05+00:00",
    "model": {"name": "qc-hc-cascade", "sha256": "ab" * 32},
    "versions": {"covidseg": "0.1.0"},
    "settings": {"infection_threshold": 0.5},
}
SHAPE = (12, 40, 48)


def oblique() -> Grid:
    """A grid that is turned about two axes."""
    first, second = np.radians(20), np.radians(-15)
    about_z = np.array([[np.cos(first), -np.sin(first), 0], [np.sin(first), np.cos(first), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(second), -np.sin(second)], [0, np.sin(second), np.cos(second)]])
    return _grid(about_z @ about_x)


def flipped() -> Grid:
    """A grid whose columns run from back to front, as in a prone patient or a flipped reconstruction."""
    return _grid(np.diag([1.0, -1.0, -1.0]))


def mirrored() -> Grid:
    """A grid whose columns run along -y and whose slices run from head to feet."""
    return _grid(np.array([[-1.0, 0, 0], [0, 1.0, 0], [0, 0, -1.0]]))


def sagittal() -> Grid:
    """A grid of slices that are not axial."""
    return _grid(np.array([[0, 0, 1.0], [1.0, 0, 0], [0, 1.0, 0]]))


def left_handed() -> Grid:
    """A grid whose slices run against their normal, as archives may store them."""
    return _grid(np.diag([1.0, 1.0, -1.0]))


def straight() -> Grid:
    """A grid along the axes of the patient."""
    return _grid(np.eye(3))


def _grid(direction: np.ndarray) -> Grid:
    return Grid(SHAPE, GridSpacing(1.5, 1.25, 8.0), (-31.5, 12.25, -40.0), tuple(direction.ravel().tolist()))


@cache
def masks() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HU, lungs and infection (z, y, x), not symmetrical in any direction."""
    hu = np.full(SHAPE, 40, np.int16)
    lungs = np.zeros(SHAPE, np.uint8)
    lungs[1:11, 6:30, 4:20] = 1
    lungs[2:10, 8:34, 26:44] = 2
    hu[lungs > 0] = -850
    infection = np.zeros(SHAPE, bool)
    infection[2:4, 8:14, 6:12] = True
    infection[7:9, 20:30, 30:42] = True
    infection[5, 12:14, 30:33] = True
    hu[infection] = -500
    hu[7, 22:28, 32:38] = -60
    rng = np.random.default_rng(0)
    return (hu + rng.integers(-20, 20, SHAPE)).astype(np.int16), lungs, infection


def complete(data: FileDataset, index: int) -> None:
    """Add the identifiers that files of an archive have, which are the same in all slices."""
    data.StudyInstanceUID, data.FrameOfReferenceUID = "1.2.3.4", "1.2.3.5"
    data.StudyDate, data.StudyTime, data.StudyID, data.AccessionNumber = "20260102", "030405", "7", "A-1"
    data.StudyDescription, data.ReferringPhysicianName = "CT Thorax", "Who^Doctor"
    data.PatientSex, data.PatientAge = "F", "055Y"
    data.PositionReferenceIndicator = ""


def write_ct(folder: Path, grid: Grid | None = None, **options: object) -> Volume:
    """Write the CT as a DICOM series, and return it."""
    hu, _, _ = masks()
    grid = grid or straight()
    write_series(folder, hu, grid, **{"uid": generate_uid(), "edit": complete, **options})  # type: ignore[arg-type]
    return Volume(hu, grid)


def segmentation_on(grid: Grid) -> Segmentation:
    """The masks on a grid."""
    _, lungs, infection = masks()
    return Segmentation(lungs, infection, 255 * infection.astype(np.uint8), grid, dict(PROVENANCE))


def source_and_result(folder: Path, grid: Grid | None = None, **options: object) -> tuple[dicom.Source, dicom.Result]:
    """Write the CT, and return it with the result."""
    write_ct(folder, grid, **options)
    source = dicom.read_source(folder)
    _, lungs, infection = masks()
    segmentation = Segmentation(
        lungs[_order(source, grid)], infection[_order(source, grid)], lungs, source.volume.grid, dict(PROVENANCE)
    )
    return source, dicom.result_of(source.volume, segmentation)


def _order(source: dicom.Source, grid: Grid | None) -> slice:
    """The reader orders slices along their normal, which is the order in which `write_ct` has written them or not."""
    written = grid or straight()
    step = written.affine_lps[:3, 2] @ source.volume.grid.affine_lps[:3, 2]
    return slice(None, None, 1 if step > 0 else -1)
