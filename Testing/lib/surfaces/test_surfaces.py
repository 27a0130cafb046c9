"""Closed surfaces enclose the volume of the voxels, in the right place, on any grid; Slicer reads them so."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import slicer
import vtk
from hypothesis import given, settings
from hypothesis import strategies as st
from support.grids import ball, chest, grid_of, grids, middle, positions
from vtk.util.numpy_support import vtk_to_numpy

from CovidSegLib.outputs.writing import write_surface
from CovidSegLib.segmentation import Segmentation
from CovidSegLib.surfaces import closed_surface, closed_surface_in_steps, closed_surfaces, surfaces_of
from CovidSegLib.surfaces.meshes import (
    corners_of,
    enclosed_mm3,
    is_closed,
    pieces_of,
    points_of,
    signed_mm3,
    triangles_of,
)
from CovidSegLib.volume import Grid


def normals_of(surface):
    return vtk_to_numpy(surface.GetPointData().GetNormals()).astype(float)


def centre_of(surface):
    """Centre of gravity of the enclosed volume."""
    a, b, c = corners_of(surface)
    volumes = signed_mm3(surface)
    return points_of(surface).mean(axis=0) + ((a + b + c) / 4 * volumes[:, None]).sum(axis=0) / volumes.sum()


def mm3(mask, grid):
    return np.count_nonzero(mask) * np.prod(grid.spacing)


@settings(max_examples=25, deadline=None)
@given(grid=grids(spacings=st.floats(0.6, 3.0)), block_mm=st.sampled_from([0.0, 2.0]), voxels=st.floats(3.0, 5.0))
def test_a_ball_on_any_grid(grid, block_mm, voxels):
    longest = max(*grid.spacing, block_mm)
    radius = voxels * longest
    grid = replace(grid, shape=tuple(int(2 * radius / step) + 4 for step in reversed(grid.spacing)))
    centre = middle(grid)
    mask = ball(grid, centre, radius)
    surface = closed_surface(mask, grid, block_mm)
    assert is_closed(surface)
    assert enclosed_mm3(surface) == pytest.approx(mm3(mask, grid), rel=0.01)
    np.testing.assert_allclose(centre_of(surface), positions(grid)[mask].mean(axis=0), atol=0.05 * longest)
    away = points_of(surface) - centre
    distance = np.linalg.norm(away, axis=1)
    assert np.abs(distance - radius).max() < longest
    cosine = np.einsum("ij,ij->i", normals_of(surface), away) / distance
    assert cosine.mean() > 0.9, "normals do not face outward"


@pytest.mark.parametrize(("block_mm", "degrees"), [(0.0, 5.5), (2.0, 5.5)])
def test_steps_of_slices_and_voxels_are_smoothed(block_mm, degrees):
    grid = grid_of((20, 50, 50), (0.8, 0.8, 2.0))
    centre = middle(grid)
    surface = closed_surface(ball(grid, centre, 15), grid, block_mm)
    away = points_of(surface) - centre
    cosine = np.einsum("ij,ij->i", normals_of(surface), away) / np.linalg.norm(away, axis=1)
    assert np.degrees(np.arccos(cosine)).mean() < degrees


@pytest.mark.parametrize("spacing", [(0.75, 0.75, 1.0), (0.75, 0.75, 5.0), (0.5, 0.5, 0.6), (1.0, 2.0, 3.0)])
@pytest.mark.parametrize("ml", [0.35, 1.0, 4.0])
def test_smoothing_does_not_shrink_small_lesions(spacing, ml):
    radius = (ml * 1000 * 3 / 4 / np.pi) ** (1 / 3)
    grid = grid_of([int(2 * radius / step) + 6 for step in reversed(spacing)], spacing, (7, 8, 9))
    mask = ball(grid, middle(grid), radius)
    surface = closed_surface(mask, grid, closed_surfaces.INFECTION_BLOCK_MM)
    assert enclosed_mm3(surface) == pytest.approx(mm3(mask, grid), rel=0.005)


@pytest.mark.parametrize("flips", [(1, 1, 1), (1, 1, -1), (-1, 1, 1), (-1, -1, -1)])
@pytest.mark.parametrize("block_mm", [0.0, 3.0])
def test_the_surface_is_closed_if_the_mask_touches_the_border(flips, block_mm):
    grid = grid_of((9, 12, 15), (1.0, 1.5, 2.0), (-3, 40, 80), (20, 30, 40), flips)
    mask = np.ones(grid.shape, bool)
    surface = closed_surface(mask, grid, block_mm)
    assert is_closed(surface)
    assert enclosed_mm3(surface) == pytest.approx(mm3(mask, grid), rel=0.01)
    np.testing.assert_allclose(centre_of(surface), middle(grid), atol=0.1)


def test_a_single_voxel_has_a_surface():
    grid = grid_of((4, 4, 4), (1, 1, 4), (10, 20, 30), (5, 6, 7))
    mask = np.zeros(grid.shape, bool)
    mask[3, 0, 2] = True
    surface = closed_surface(mask, grid)
    assert is_closed(surface)
    assert enclosed_mm3(surface) == pytest.approx(4, rel=0.2)
    np.testing.assert_allclose(centre_of(surface), positions(grid)[3, 0, 2], atol=0.01)
    assert np.linalg.norm(points_of(surface) - positions(grid)[3, 0, 2], axis=1).max() < 4


def test_small_components_keep_their_volume():
    grid = grid_of((30, 30, 50))
    lesion, specks = ball(grid, [12, 15, 15], 9), np.zeros(grid.shape, bool)
    specks[14:16, 14:16, 30:32] = specks[14, 14, 40] = True
    surface = closed_surface(lesion | specks, grid)
    pieces = pieces_of(surface)
    volumes = np.sort(np.bincount(pieces[triangles_of(surface)[:, 0]], signed_mm3(surface)))
    # The surface of a single voxel is an octahedron of a sixth of its volume.
    np.testing.assert_allclose(volumes, [1 / 6, 6, np.count_nonzero(lesion)], rtol=0.2)


def test_a_decimated_surface_is_closed_and_keeps_its_volume(monkeypatch):
    grid = grid_of((40, 50, 60), (1, 1, 1), angles=(10, 20, 30), flips=(1, -1, 1))
    mask = ball(grid, middle(grid), 18)
    whole = closed_surface(mask, grid)
    monkeypatch.setattr(closed_surfaces, "MAX_TRIANGLES", 100)
    simple = closed_surface(mask, grid)
    assert simple.GetNumberOfPolys() == pytest.approx(whole.GetNumberOfPolys() / 2, rel=0.01)
    assert is_closed(simple)
    assert enclosed_mm3(simple) == pytest.approx(mm3(mask, grid), rel=0.005)


def test_decimation_that_opens_the_surface_is_discarded(monkeypatch):
    grid = grid_of((30, 30, 30))
    monkeypatch.setattr(closed_surfaces, "MAX_TRIANGLES", 100)
    monkeypatch.setattr(closed_surfaces, "is_closed", lambda surface: False)
    mask = ball(grid, middle(grid), 9)
    triangles = closed_surface(mask, grid).GetNumberOfPolys()
    monkeypatch.setattr(closed_surfaces, "MAX_TRIANGLES", 10**9)
    assert closed_surface(mask, grid).GetNumberOfPolys() == triangles


def test_blocks_reduce_the_triangles_but_keep_the_surface():
    grid = grid_of((40, 80, 80), (0.7, 0.7, 1.0), (3, 4, 5), (4, 5, 6))
    mask = ball(grid, middle(grid), 18)
    fine, coarse = closed_surface(mask, grid), closed_surface(mask, grid, 2.0)
    assert coarse.GetNumberOfPolys() < fine.GetNumberOfPolys() / 3
    assert enclosed_mm3(coarse) == pytest.approx(enclosed_mm3(fine), rel=0.005)
    np.testing.assert_allclose(centre_of(coarse), centre_of(fine), atol=0.05)


def test_lungs_and_infection_each_have_one_surface():
    _, segmentation = chest()
    by_name = surfaces_of(segmentation)
    assert list(by_name) == ["lungs", "infection"]
    grid = segmentation.grid
    for name, mask in {"lungs": segmentation.lungs > 0, "infection": segmentation.infection}.items():
        assert enclosed_mm3(by_name[name]) == pytest.approx(mm3(mask, grid), rel=0.01)
        np.testing.assert_allclose(centre_of(by_name[name]), positions(grid)[mask].mean(axis=0), atol=0.3)


def test_empty_masks_have_no_surface():
    grid = grid_of((5, 6, 7))
    empty = np.zeros(grid.shape, np.uint8)
    assert closed_surface(empty, grid) is None
    assert surfaces_of(Segmentation(empty, empty > 0, empty, grid)) == {}
    lungs = empty.copy()
    lungs[2, 2:4, 2:4] = 2
    assert list(surfaces_of(Segmentation(lungs, empty > 0, empty, grid))) == ["lungs"]


@pytest.mark.parametrize("flips", [(1, 1, 1), (1, 1, -1)])
def test_slicer_places_the_surface_around_the_voxels_of_the_mask(tmp_path, flips):
    grid = grid_of((24, 30, 36), (1.0, 0.8, 1.6), (-120, 60, 900), (25, -35, 50), flips)
    inner, mask, outer = (ball(grid, middle(grid) + np.array([2, 1, -2]), radius) for radius in (6.5, 8, 9.5))
    path = tmp_path / "Fläche.vtp"
    write_surface(path, closed_surface(mask, grid))

    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLModelNode")
    storage = slicer.vtkMRMLModelStorageNode()
    storage.SetCoordinateSystem(slicer.vtkMRMLStorageNode.CoordinateSystemRAS)  # the file must override this
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    assert storage.GetCoordinateSystem() == slicer.vtkMRMLStorageNode.CoordinateSystemLPS

    z, y, x = np.indices(grid.shape)
    voxels = np.stack([x, y, z, np.ones_like(x)], axis=-1).reshape(-1, 4) @ grid.affine_ras.T
    cloud, points = vtk.vtkPolyData(), vtk.vtkPoints()
    for position in voxels[:, :3]:
        points.InsertNextPoint(position)
    cloud.SetPoints(points)
    select = vtk.vtkSelectEnclosedPoints()
    select.SetInputData(cloud)
    select.SetSurfaceData(node.GetPolyData())
    select.Update()
    enclosed = vtk_to_numpy(select.GetOutput().GetPointData().GetArray("SelectedPoints")).reshape(grid.shape) > 0
    assert enclosed[inner].all()
    assert not enclosed[~outer].any()
    assert enclosed_mm3(node.GetPolyData()) > 0, "the surface is turned inside out"


def test_steps_give_the_same_surface():
    volume, segmentation = chest()
    mask, grid = segmentation.infection, volume.grid
    steps = closed_surface_in_steps(mask, grid, 2.0)
    count = 0
    while True:
        try:
            next(steps)
            count += 1
        except StopIteration as end:
            surface = end.value
            break
    assert count >= 6, "each filter is a step"
    expected = closed_surface(mask, grid, 2.0)
    np.testing.assert_array_equal(points_of(surface), points_of(expected))
    np.testing.assert_array_equal(triangles_of(surface), triangles_of(expected))


def test_a_surface_that_is_given_up_leaves_no_filter_at_work(monkeypatch):
    """Whose input would be freed while it works."""
    monkeypatch.setattr(closed_surfaces, "_STEP_SECONDS", 0.0)
    mask = np.random.default_rng(0).random((60, 60, 60)) > 0.5
    steps, before = closed_surface_in_steps(mask, Grid(mask.shape)), threading.active_count()
    while threading.active_count() == before:
        next(steps)
    steps.close()
    assert threading.active_count() == before
