"""Lesions of a lung: connected components of the infection with volume, mean HU and position."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..masks import bounding_box, label_components
from ..volume import LPS_RAS, Grid

#: Smaller components count towards the volumes but are not listed as lesions.
SMALLEST_LESION_ML = 0.1


def is_lesion(volume_ml: float | np.ndarray) -> np.ndarray:
    """Return whether components of these volumes in ml, a scalar or an array, are large enough to be lesions.

    The limit of `SMALLEST_LESION_ML` is inclusive. Voxel volumes add up to it only within rounding errors.

    >>> is_lesion(np.array([0.05, 0.1, 3.2]))
    array([False,  True,  True])
    """
    return np.asarray(volume_ml) >= SMALLEST_LESION_ML * (1 - 1e-9)


def find_lesions(infection: np.ndarray, array: np.ndarray, grid: Grid) -> list[dict[str, Any]]:
    """Measure the 26-connected components of an infection mask, of any size.

    Args:
        infection: Boolean (z, y, x), the infection of one lung.
        array: HU (z, y, x) on the same grid.
        grid: Grid of both arrays.

    Returns:
        A dictionary for each component, largest first, not rounded:

        - `volume_ml`, `mean_hu`
        - `centre_lps_mm`, `centre_ras_mm`: centre of gravity. It can lie outside a crescent-shaped component.
        - `inside_lps_mm`, `inside_ras_mm`: centre of the voxel of the component that is nearest to the centre of
          gravity.
    """
    box = bounding_box(infection)
    if box is None:
        return []
    labels, count = label_components(infection[box])
    infected = np.flatnonzero(labels)
    component = labels.ravel()[infected] - 1
    index_zyx = np.unravel_index(infected, labels.shape)
    hu = array[box][index_zyx]
    index = np.stack([along.astype(np.float32) for along in index_zyx[::-1]])
    # A CT at full resolution makes these arrays large.
    del labels, infected, index_zyx

    voxels = np.bincount(component, minlength=count)
    mean_hu = np.bincount(component, hu, count) / voxels
    centre = np.stack([np.bincount(component, along, count) for along in index]) / voxels
    nearest = index[:, _nearest_voxels(component, index, centre, np.asarray(grid.spacing))]
    corner = np.array([[part.start] for part in reversed(box)])
    points = {"centre": _to_lps(grid, centre + corner), "inside": _to_lps(grid, nearest + corner)}
    lesions = []
    for number in np.argsort(-voxels, kind="stable"):
        lesion: dict[str, Any] = {"volume_ml": voxels[number] * grid.voxel_ml, "mean_hu": mean_hu[number]}
        for name, lps in points.items():
            lesion[f"{name}_lps_mm"] = lps[:, number].tolist()
            lesion[f"{name}_ras_mm"] = (LPS_RAS[:3, :3] @ lps[:, number]).tolist()
        lesions.append(lesion)
    return lesions


def _nearest_voxels(component: np.ndarray, index: np.ndarray, centre: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Return for each component the position in `index` of the voxel that is nearest to its centre.

    Args:
        component: Component of each voxel (n), from 0.
        index: Indices (x, y, z) of the voxels as columns (3, n).
        centre: Centres of the components as columns (3, components).
        spacing: Spacing in mm along (x, y, z).
    """
    distance = np.zeros(component.size, np.float32)
    for along, middle, step in zip(index, centre, spacing, strict=True):
        distance += ((along - middle[component]) * step) ** 2
    shortest = np.full(centre.shape[1], np.inf, np.float32)
    np.minimum.at(shortest, component, distance)
    hits = np.flatnonzero(distance == shortest[component])
    # np.unique returns the first occurrence, so ties are resolved by array order.
    return hits[np.unique(component[hits], return_index=True)[1]]


def _to_lps(grid: Grid, index: np.ndarray) -> np.ndarray:
    """Transform voxel indices (x, y, z) as columns (3, n) to LPS millimetres (3, n)."""
    return grid.affine_lps[:3, :3] @ index + grid.affine_lps[:3, 3:]
