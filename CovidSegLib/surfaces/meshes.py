"""Properties of a surface of triangles: corners, connected pieces, volume, and whether it is closed."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkPolyData
from vtkmodules.vtkFiltersCore import vtkFeatureEdges


def points_of(surface: vtkPolyData) -> np.ndarray:
    """Return the points (n, 3), float32, as a view."""
    return vtk_to_numpy(surface.GetPoints().GetData())


def set_points(surface: vtkPolyData, points: np.ndarray) -> None:
    """Replace the points (n, 3)."""
    vtk_points = vtkPoints()
    vtk_points.SetData(numpy_to_vtk(np.ascontiguousarray(points, dtype=np.float32), deep=True))
    surface.SetPoints(vtk_points)


def triangles_of(surface: vtkPolyData) -> np.ndarray:
    """Return the point indices (n, 3) of the corners of the n triangles."""
    return vtk_to_numpy(surface.GetPolys().GetConnectivityArray()).reshape(-1, 3)


def corners_of(surface: vtkPolyData) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the three corners (n, 3) of the n triangles, relative to the mean point to reduce rounding errors."""
    points = points_of(surface).astype(np.float64)
    points -= points.mean(axis=0)
    a, b, c = (points[corner] for corner in triangles_of(surface).T)
    return a, b, c


def signed_mm3(surface: vtkPolyData) -> np.ndarray:
    """Return for each triangle the volume of the tetrahedron with the mean point; negative if it faces that point."""
    a, b, c = corners_of(surface)
    return np.einsum("ij,ij->i", a, np.cross(b, c)) / 6


def enclosed_mm3(surface: vtkPolyData) -> float:
    """Return the enclosed volume of a closed surface; negative if its triangles face inward."""
    return float(signed_mm3(surface).sum())


def pieces_of(surface: vtkPolyData) -> np.ndarray:
    """Return for each point the number of its connected piece."""
    triangles, count = triangles_of(surface), surface.GetNumberOfPoints()
    edges = (triangles[:, [0, 1]].ravel(), triangles[:, [1, 2]].ravel())
    linked = sparse.coo_array((np.ones(edges[0].size, bool), edges), (count, count))
    return sparse.csgraph.connected_components(linked, directed=False)[1]


def is_closed(surface: vtkPolyData) -> bool:
    """Return whether every edge belongs to exactly two triangles."""
    edges = vtkFeatureEdges()
    edges.SetInputData(surface)
    edges.BoundaryEdgesOn()
    edges.NonManifoldEdgesOn()
    edges.FeatureEdgesOff()
    edges.ManifoldEdgesOff()
    edges.Update()
    return edges.GetOutput().GetNumberOfCells() == 0
