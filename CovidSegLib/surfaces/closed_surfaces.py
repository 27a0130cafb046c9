"""Closed, smoothed surfaces of masks in LPS millimetres."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData, vtkPolyData
from vtkmodules.vtkCommonExecutionModel import vtkPolyDataAlgorithm
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

#: Voxels are averaged in blocks of at most this size before contouring, which preserves the volume.
LUNGS_BLOCK_MM, INFECTION_BLOCK_MM = 2.5, 1.2
#: Larger surfaces are decimated, by half at most: beyond that thin parts break.
MAX_TRIANGLES = 200_000
#: Removes the steps of voxels and slices. Stronger smoothing shrinks lesions of a few voxels.
SMOOTHING_ITERATIONS, PASS_BAND = 30, 0.03
#: Connected pieces that smoothing would shrink below this share of their volume are not smoothed.
MIN_SMOOTHED_VOLUME = 0.8
#: Longest time in seconds that a step waits for a filter.
_STEP_SECONDS = 0.02


def surfaces_of(segmentation: Segmentation) -> dict[str, vtkPolyData]:
    """Compute the closed surfaces of both lungs together and of the infection.

    Args:
        segmentation: The segmentation.

    Returns:
        Surfaces in LPS millimetres by "lungs" and "infection". Empty masks have no surface.
    """
    masks = {"lungs": (segmentation.lungs, LUNGS_BLOCK_MM), "infection": (segmentation.infection, INFECTION_BLOCK_MM)}
    surfaces = {name: closed_surface(mask, segmentation.grid, block) for name, (mask, block) in masks.items()}
    return {name: surface for name, surface in surfaces.items() if surface is not None}


def segment_surfaces_of(segmentation: Segmentation) -> dict[str, vtkPolyData]:
    """Compute the closed surface of each segment.

    Args:
        segmentation: The segmentation.

    Returns:
        Surfaces in LPS millimetres by "right_lung", "left_lung" and "infection". Empty segments have no surface.
    """
    surfaces = {
        name: closed_surface(mask, segmentation.grid, INFECTION_BLOCK_MM if name == "infection" else LUNGS_BLOCK_MM)
        for name, mask in segmentation.segments.items()
    }
    return {name: surface for name, surface in surfaces.items() if surface is not None}


def closed_surface(mask: np.ndarray, grid: Grid, block_mm: float = 0.0) -> vtkPolyData | None:
    """Compute a closed, smoothed surface of a mask that encloses the volume of its voxels.

    Args:
        mask: Boolean mask or label map (z, y, x). Nonzero voxels are inside. It may touch the borders of the grid.
        grid: Grid of the mask; may be oblique, anisotropic or left-handed.
        block_mm: Voxels are averaged in blocks of at most this size, to limit the number of triangles on fine grids.

    Returns:
        Triangles in LPS millimetres with outward point normals; None if the mask is empty.

    Example:
        >>> mask = np.zeros((20, 20, 20), dtype=bool)
        >>> mask[5:15, 5:15, 5:15] = True
        >>> surface = closed_surface(mask, Grid(mask.shape))
        >>> is_closed(surface), round(enclosed_mm3(surface))
        (True, 1000)
    """
    steps = closed_surface_in_steps(mask, grid, block_mm)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def closed_surface_in_steps(
    mask: np.ndarray, grid: Grid, block_mm: float = 0.0, *, decimate: bool = True
) -> Generator[None, None, vtkPolyData | None]:
    """Compute a closed surface in short steps, so that an application stays responsive between them.

    With a block that leaves about 200,000 triangles, a step takes at most some tenths of a second.

    Args:
        mask: As in `closed_surface`.
        grid: As in `closed_surface`.
        block_mm: As in `closed_surface`.
        decimate: Decimate large surfaces, which takes seconds.

    Returns:
        The surface that `closed_surface` returns.

    Example:
        >>> mask = np.zeros((20, 20, 20), dtype=bool)
        >>> mask[5:15, 5:15, 5:15] = True
        >>> steps = closed_surface_in_steps(mask, Grid(mask.shape))
        >>> sum(1 for _ in steps) > 3
        True
    """
    box = bounding_box(mask)
    if box is None:
        return None
    blocks = tuple(max(1, int(block_mm / step)) for step in reversed(grid.spacing))
    inside = mask[box] != 0
    yield
    filled = yield from _block_sums(inside, blocks)
    surface = yield from _contour(filled, int(np.prod(blocks)))
    yield
    # Block (0, 0, 0) is the empty margin before the box.
    corner = np.array([part.start for part in box])
    first = corner - np.array(blocks) + (np.array(blocks) - 1) / 2
    _transform(surface, grid.affine_lps @ _affine(np.array(blocks)[::-1], first[::-1]))
    yield
    surface = yield from _smoothed(surface)
    if decimate:
        surface = yield from _decimated(surface)
    surface = yield from _with_normals(surface)
    yield
    yield from _scale_to_volume(surface, np.count_nonzero(inside) * grid.voxel_ml * 1000)
    return surface


def _block_sums(inside: np.ndarray, blocks: tuple[int, ...]) -> Generator[None, None, np.ndarray]:
    """Count the voxels inside each block (z, y, x), with a margin of one empty block on every side."""
    sizes = [-(-size // block) for size, block in zip(inside.shape, blocks, strict=True)]
    sums = np.zeros([size + 2 for size in sizes], np.uint8 if blocks == (1, 1, 1) else np.uint16)
    for start in np.ndindex(*blocks):
        part = inside[tuple(slice(first, None, block) for first, block in zip(start, blocks, strict=True))]
        within = tuple(slice(1, 1 + size) for size in part.shape)
        sums[within] = sums[within] + part
        yield
    return sums


def _output_of(algorithm: vtkPolyDataAlgorithm) -> Generator[None, None, vtkPolyData]:
    """Return the output of a filter, which works in a thread: VTK lets Python go on meanwhile."""
    thread = threading.Thread(target=algorithm.Update)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(_STEP_SECONDS)
            yield
    finally:
        thread.join()  # also if nobody wants the surface any more: its input must live as long as the filter works
    return algorithm.GetOutput()


def _contour(filled: np.ndarray, full: int) -> Generator[None, None, vtkPolyData]:
    """Contour the blocks (z, y, x) where half of their `full` voxels are filled. Points are block indices (x, y, z)."""
    image = vtkImageData()
    image.SetDimensions(*reversed(filled.shape))
    image.GetPointData().SetScalars(numpy_to_vtk(filled.ravel()))
    contour = vtkFlyingEdges3D()
    contour.SetInputData(image)
    # Just below one half, because blocks at exactly the contour level produce degenerate triangles.
    contour.SetValue(0, full / 2 - (0.02 if full % 2 == 0 else 0.0))
    contour.ComputeNormalsOff()
    contour.ComputeGradientsOff()
    contour.ComputeScalarsOff()
    return (yield from _output_of(contour))


def _affine(scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    affine = np.diag([*scale, 1.0])
    affine[:3, 3] = shift
    return affine


def _transform(surface: vtkPolyData, affine: np.ndarray) -> None:
    """Transform the points in place. If the affine mirrors, reverse the triangles so that they face outward again."""
    points = points_of(surface).astype(np.float64) @ affine[:3, :3].T + affine[:3, 3]
    set_points(surface, points)
    if np.linalg.det(affine) < 0:
        reverse = vtkReverseSense()
        reverse.SetInputData(surface)
        reverse.ReverseCellsOn()
        reverse.ReverseNormalsOff()
        reverse.Update()
        surface.ShallowCopy(reverse.GetOutput())


def _smoothed(surface: vtkPolyData) -> Generator[None, None, vtkPolyData]:
    """Smooth a surface, except for pieces of a few voxels, which smoothing would shrink to points."""
    smooth = vtkWindowedSincPolyDataFilter()
    smooth.SetInputData(surface)
    smooth.SetNumberOfIterations(SMOOTHING_ITERATIONS)
    smooth.SetPassBand(PASS_BAND)
    smooth.BoundarySmoothingOff()
    smooth.FeatureEdgeSmoothingOff()
    smooth.NonManifoldSmoothingOn()
    smooth.NormalizeCoordinatesOn()
    result = yield from _output_of(smooth)
    piece = pieces_of(surface)
    yield
    before, after = (np.bincount(piece[triangles_of(each)[:, 0]], signed_mm3(each)) for each in (surface, result))
    shrunk = (after / before < MIN_SMOOTHED_VOLUME)[piece]
    points, smoothed = points_of(surface), points_of(result)
    set_points(result, np.where(shrunk[:, None], points, smoothed))
    yield
    return result


def _decimated(surface: vtkPolyData) -> Generator[None, None, vtkPolyData]:
    """Decimate a surface of many triangles, unless that would open it."""
    triangles = surface.GetNumberOfPolys()
    if triangles <= MAX_TRIANGLES:
        return surface
    decimate = vtkQuadricDecimation()
    decimate.SetInputData(surface)
    decimate.SetTargetReduction(min(0.5, 1 - MAX_TRIANGLES / triangles))
    decimate.VolumePreservationOn()
    decimated = yield from _output_of(decimate)
    return decimated if is_closed(decimated) else surface


def _with_normals(surface: vtkPolyData) -> Generator[None, None, vtkPolyData]:
    normals = vtkPolyDataNormals()
    normals.SetInputData(surface)
    # The triangles are already consistent, and splitting would open the surface.
    normals.ConsistencyOff()
    normals.SplittingOff()
    normals.ComputePointNormalsOn()
    normals.ComputeCellNormalsOff()
    return (yield from _output_of(normals))


def _scale_to_volume(surface: vtkPolyData, mm3: float) -> Iterator[None]:
    """Move the points along their normals so that the surface encloses a volume."""
    normals = vtk_to_numpy(surface.GetPointData().GetNormals())
    for _ in range(2):
        a, b, c = corners_of(surface)
        area = float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()) / 2
        step = (mm3 - enclosed_mm3(surface)) / area
        set_points(surface, points_of(surface) + step * normals)
        yield
