"""Closed surfaces of masks, in the patient's coordinates."""

from __future__ import annotations

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData, vtkPolyData
from vtkmodules.vtkFiltersCore import (
    vtkFlyingEdges3D,
    vtkPolyDataNormals,
    vtkQuadricDecimation,
    vtkReverseSense,
    vtkWindowedSincPolyDataFilter,
)

from ..masks import bounding_box
from ..segmentation import Segmentation
from ..volume import Grid
from .meshes import corners_of, enclosed_mm3, is_closed, pieces_of, points_of, set_points, signed_mm3, triangles_of

#: Voxels are averaged in blocks of at most this size before the surface is drawn, which keeps its volume.
LUNGS_MM, INFECTION_MM = 2.0, 1.2
#: Surfaces of more triangles are simplified, to half of them at most: beyond that thin parts break.
MANY_TRIANGLES = 200_000
#: Takes away the steps that voxels and slices leave; more than this shrinks lesions of a few voxels.
SMOOTHING_STEPS, PASS_BAND = 30, 0.03
#: Pieces of which smoothing would leave less than this share of the volume are not smoothed.
LEAST_LEFT = 0.8


def surfaces_of(segmentation: Segmentation) -> dict[str, vtkPolyData]:
    """Closed surfaces of both lungs together and of the infection, in LPS millimetres.

    Returns:
        Surfaces by the names `lungs` and `infection`. What is empty has none.
    """
    masks = {"lungs": (segmentation.lungs, LUNGS_MM), "infection": (segmentation.infection, INFECTION_MM)}
    surfaces = {name: closed_surface(mask, segmentation.grid, block) for name, (mask, block) in masks.items()}
    return {name: surface for name, surface in surfaces.items() if surface is not None}


def closed_surface(mask: np.ndarray, grid: Grid, block_mm: float = 0.0) -> vtkPolyData | None:
    """A closed, smoothed surface around a mask that encloses the volume of its voxels.

    Args:
        mask: bool or label map (z, y, x); what is not zero is inside. It may touch the borders of the grid.
        grid: Where the voxels lie; may be oblique, anisotropic and left-handed.
        block_mm: Voxels are averaged in blocks of at most this many mm, so that fine grids make no needless triangles.

    Returns:
        Triangles in LPS millimetres with normals at the points, which look outward; None where the mask is empty.
    """
    box = bounding_box(mask)
    if box is None:
        return None
    blocks = tuple(max(1, int(block_mm / step)) for step in reversed(grid.spacing))
    inside = mask[box] != 0
    surface = _half_filled(_filled(inside, blocks), int(np.prod(blocks)))
    # Block (0, 0, 0) is the empty margin before the box.
    corner = np.array([part.start for part in box])
    first = corner - np.array(blocks) + (np.array(blocks) - 1) / 2
    _move(surface, grid.affine_lps @ _affine(np.array(blocks)[::-1], first[::-1]))
    surface = _with_normals(_simplified(_smoothed(surface)))
    _set_volume(surface, np.count_nonzero(inside) * grid.voxel_ml * 1000)
    return surface


def _filled(inside: np.ndarray, blocks: tuple[int, ...]) -> np.ndarray:
    """How many voxels of each block (z, y, x) are inside, with a margin of one empty block on every side."""
    sizes = [-(-size // block) for size, block in zip(inside.shape, blocks, strict=True)]
    padded = np.zeros([(size + 2) * block for size, block in zip(sizes, blocks, strict=True)], np.uint8)
    padded[tuple(slice(block, block + size) for block, size in zip(blocks, inside.shape, strict=True))] = inside
    if blocks == (1, 1, 1):
        return padded
    split = [part for size, block in zip(sizes, blocks, strict=True) for part in (size + 2, block)]
    return padded.reshape(split).sum(axis=(1, 3, 5), dtype=np.uint16)


def _half_filled(filled: np.ndarray, full: int) -> vtkPolyData:
    """Triangles through where blocks are half filled, in block indices (x, y, z)."""
    image = vtkImageData()
    image.SetDimensions(*reversed(filled.shape))
    image.GetPointData().SetScalars(numpy_to_vtk(filled.ravel()))
    contour = vtkFlyingEdges3D()
    contour.SetInputData(image)
    # Just below the half, because a block of exactly the level makes triangles without area.
    contour.SetValue(0, full / 2 - (0.02 if full % 2 == 0 else 0.0))
    contour.ComputeNormalsOff()
    contour.ComputeGradientsOff()
    contour.ComputeScalarsOff()
    contour.Update()
    return contour.GetOutput()


def _affine(scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    affine = np.diag([*scale, 1.0])
    affine[:3, 3] = shift
    return affine


def _move(surface: vtkPolyData, affine: np.ndarray) -> None:
    """Move the points in place; where the affine mirrors, turn the triangles so that they look outward again."""
    points = points_of(surface).astype(np.float64) @ affine[:3, :3].T + affine[:3, 3]
    set_points(surface, points)
    if np.linalg.det(affine) < 0:
        turn = vtkReverseSense()
        turn.SetInputData(surface)
        turn.ReverseCellsOn()
        turn.ReverseNormalsOff()
        turn.Update()
        surface.ShallowCopy(turn.GetOutput())


def _smoothed(surface: vtkPolyData) -> vtkPolyData:
    """The surface without steps. Specks of a few voxels stay as they are: smoothing would shrink them to points."""
    smooth = vtkWindowedSincPolyDataFilter()
    smooth.SetInputData(surface)
    smooth.SetNumberOfIterations(SMOOTHING_STEPS)
    smooth.SetPassBand(PASS_BAND)
    smooth.BoundarySmoothingOff()
    smooth.FeatureEdgeSmoothingOff()
    smooth.NonManifoldSmoothingOn()
    smooth.NormalizeCoordinatesOn()
    smooth.Update()
    result = smooth.GetOutput()
    piece = pieces_of(surface)
    before, after = (np.bincount(piece[triangles_of(each)[:, 0]], signed_mm3(each)) for each in (surface, result))
    shrunk = (after / before < LEAST_LEFT)[piece]
    points, smoothed = points_of(surface), points_of(result)
    set_points(result, np.where(shrunk[:, None], points, smoothed))
    return result


def _simplified(surface: vtkPolyData) -> vtkPolyData:
    triangles = surface.GetNumberOfPolys()
    if triangles <= MANY_TRIANGLES:
        return surface
    decimate = vtkQuadricDecimation()
    decimate.SetInputData(surface)
    decimate.SetTargetReduction(min(0.5, 1 - MANY_TRIANGLES / triangles))
    decimate.VolumePreservationOn()
    decimate.Update()
    simple = decimate.GetOutput()
    return simple if is_closed(simple) else surface


def _with_normals(surface: vtkPolyData) -> vtkPolyData:
    normals = vtkPolyDataNormals()
    normals.SetInputData(surface)
    # The triangles are consistent already; splitting would open the surface.
    normals.ConsistencyOff()
    normals.SplittingOff()
    normals.ComputePointNormalsOn()
    normals.ComputeCellNormalsOff()
    normals.Update()
    return normals.GetOutput()


def _set_volume(surface: vtkPolyData, mm3: float) -> None:
    """Grow or shrink a surface a little along its normals, so that it encloses a volume."""
    normals = vtk_to_numpy(surface.GetPointData().GetNormals())
    for _ in range(2):
        a, b, c = corners_of(surface)
        area = float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()) / 2
        step = (mm3 - enclosed_mm3(surface)) / area
        set_points(surface, points_of(surface) + step * normals)
