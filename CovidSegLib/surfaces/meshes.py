"""What there is to know of a surface of triangles: its corners, pieces and volume, and whether it is closed."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkPolyData
from vtkmodules.vtkFiltersCore import vtkFeatureEdges


def points_of(surface: vtkPolyData) -> np.ndarray:
    """The points (n, 3), float32; a view."""
    return vtk_to_numpy(surface.GetPoints().GetData())


def set_points(surface: vtkPolyData, points: np.ndarray) -> None:
    """Replace the points by others (n, 3)."""
    array = numpy_to_vtk(np.ascontiguousarray(points, dtype=np.float32), deep=True)
    holder = vtkPoints()
    holder.SetData(array)
    surface.SetPoints(holder)


def triangles_of(surface: vtkPolyData) -> np.ndarray:
    """Indices (n, 3) of the corners of the n triangles."""
    return vtk_to_numpy(surface.GetPolys().GetConnectivityArray()).reshape(-1, 3)


def corners_of(surface: vtkPolyData) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The three corners (n, 3) of the n triangles, seen from the middle so that little is lost in rounding."""
    points = points_of(surface).astype(np.float64)
    points -= points.mean(axis=0)
    a, b, c = (points[corner] for corner in triangles_of(surface).T)
    return a, b, c


def signed_mm3(surface: vtkPolyData) -> np.ndarray:
    """For each triangle, the volume between it and a point in the middle; what faces that point counts negative."""
    a, b, c = corners_of(surface)
    return np.einsum("ij,ij->i", a, np.cross(b, c)) / 6


def enclosed_mm3(surface: vtkPolyData) -> float:
    """The volume that closed triangles enclose, negative where they look inward."""
    return float(signed_mm3(surface).sum())


def pieces_of(surface: vtkPolyData) -> np.ndarray:
    """The number of the connected piece that each point belongs to."""
    triangles, count = triangles_of(surface), surface.GetNumberOfPoints()
    edges = (triangles[:, [0, 1]].ravel(), triangles[:, [1, 2]].ravel())
    linked = sparse.coo_array((np.ones(edges[0].size, bool), edges), (count, count))
    return sparse.csgraph.connected_components(linked, directed=False)[1]


def is_closed(surface: vtkPolyData) -> bool:
    """True where every edge belongs to exactly two triangles."""
    edges = vtkFeatureEdges()
    edges.SetInputData(surface)
    edges.BoundaryEdgesOn()
    edges.NonManifoldEdgesOn()
    edges.FeatureEdgesOff()
    edges.ManifoldEdgesOff()
    edges.Update()
    return edges.GetOutput().GetNumberOfCells() == 0
