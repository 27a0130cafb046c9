"""Read the files that the child process writes.

Slicer's own readers would block the application for a second or more. The voxels are therefore read here, in a thread,
and only the nodes are created in the main thread.
"""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import vtk

from CovidSegLib.volume import Grid, GridSpacing

from .voxels import BoxArray, cropped

#: Names of the files.
REPORT, SEGMENTATION, PROBABILITY = "report.json", "segmentation.seg.nrrd", "infection_probability.nii.gz"
#: First byte of the voxels in a NIfTI file without extensions.
NIFTI_VOXELS = 352


@dataclass(frozen=True)
class StoredSegment:
    """What the file says about a segment.

    Attributes:
        identifier: ID of the segment.
        name: Displayed name.
        color: Red, green and blue, each from 0 to 1.
        layer: Index of the layer that holds it.
        label: Its value in the layer.
        tags: Terminology and provenance.
    """

    identifier: str
    name: str
    color: tuple[float, ...]
    layer: int
    label: int
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ResultFiles:
    """The content of the files, except the surfaces.

    Attributes:
        report: Content of report.json.
        grid: Grid of the segmentation.
        segments: The segments.
        layers: uint8, cropped: the label maps that hold the segments.
        probability: uint8, cropped: probability of infection, 0 to 255 for 0 to 1.
    """

    report: dict[str, Any]
    grid: Grid
    segments: tuple[StoredSegment, ...]
    layers: tuple[BoxArray, ...]
    probability: BoxArray

    def mask(self, segment: StoredSegment) -> BoxArray:
        """Return the mask of a segment, boolean."""
        layer = self.layers[segment.layer]
        return BoxArray(layer.array == segment.label, layer.box)


def read_result_files(folder: Path) -> ResultFiles:
    """Read the result of a run. Needs neither a scene nor VTK, so it can run in a thread.

    Raises:
        OSError, ValueError, KeyError: A file is missing or damaged.
    """
    report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    grid, segments, layers = read_seg_nrrd(folder / SEGMENTATION)
    probability = gzip.decompress((folder / PROBABILITY).read_bytes())
    voxels = np.frombuffer(probability, np.uint8, math.prod(grid.shape), NIFTI_VOXELS).reshape(grid.shape)
    return ResultFiles(report, grid, segments, layers, cropped(voxels))


def read_surface(folder: Path, identifier: str) -> vtk.vtkPolyData:
    """Read the surface of a segment, in RAS millimetres; empty if the segment is empty. Takes about 50 ms."""
    path = folder / f"{identifier}.vtp"
    if not path.is_file():
        return vtk.vtkPolyData()
    reader = vtk.vtkXMLPolyDataReader()
    reader.SetFileName(str(path))
    reader.Update()
    return in_ras(reader.GetOutput())


def in_ras(surface: vtk.vtkPolyData) -> vtk.vtkPolyData:
    """Return a surface of the library, which is in LPS millimetres, in RAS millimetres."""
    lps_to_ras = vtk.vtkTransform()
    lps_to_ras.Scale(-1, -1, 1)
    turn = vtk.vtkTransformPolyDataFilter()
    turn.SetTransform(lps_to_ras)
    turn.SetInputData(surface)
    turn.Update()
    return turn.GetOutput()


def read_seg_nrrd(path: Path) -> tuple[Grid, tuple[StoredSegment, ...], tuple[BoxArray, ...]]:
    """Read a .seg.nrrd file as `CovidSegLib.outputs.seg_nrrd` writes it."""
    header, _, data = path.read_bytes().partition(b"\n\n")
    fields: dict[str, str] = {}
    keys: dict[str, str] = {}
    for line in header.decode("utf-8").splitlines():
        name, separator, value = line.partition(":=")
        if separator:
            keys[name] = value
        else:
            name, _, value = line.partition(": ")
            fields[name] = value
    count, width, height, depth = (int(size) for size in fields["sizes"].split())
    if fields["type"] not in ("unsigned char", "uint8") or fields["encoding"] != "gzip":
        raise ValueError(f"{path.name} is not a segmentation of CovidSeg")
    voxels = np.frombuffer(gzip.decompress(data), np.uint8).reshape(depth, height, width, count)
    layers = tuple(cropped(voxels[..., layer]) for layer in range(count))
    return _grid(fields, (depth, height, width)), _segments(keys), layers


def _grid(fields: dict[str, str], shape: tuple[int, int, int]) -> Grid:
    if fields["space"] != "left-posterior-superior":
        raise ValueError(f"unknown space {fields['space']}")
    vectors = [_vector(text) for text in fields["space directions"].split() if text != "none"]
    lengths = [math.hypot(*vector) for vector in vectors]
    axes = np.array([np.divide(vector, length) for vector, length in zip(vectors, lengths, strict=True)]).T
    return Grid(shape, GridSpacing(*lengths), _vector(fields["space origin"]), tuple(axes.ravel().tolist()))


def _vector(text: str) -> tuple[float, float, float]:
    x, y, z = (float(number) for number in text.strip("()").split(","))
    return x, y, z


def _segments(keys: dict[str, str]) -> tuple[StoredSegment, ...]:
    segments: list[StoredSegment] = []
    while (start := f"Segment{len(segments)}_") + "ID" in keys:
        tags = (tag.partition(":") for tag in keys[start + "Tags"].split("|") if tag)
        segments.append(
            StoredSegment(
                identifier=keys[start + "ID"],
                name=keys[start + "Name"],
                color=tuple(float(part) for part in keys[start + "Color"].split()),
                layer=int(keys[start + "Layer"]),
                label=int(keys[start + "LabelValue"]),
                tags={name: value for name, _, value in tags},
            )
        )
    return tuple(segments)
