"""Separate lesions of a lung: which there are, how large, where, how dense."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..masks import bounding_box, label_components
from ..volume import LPS_RAS, Grid

#: A lesion is at least this large; what is smaller is counted in the volumes, but not listed as a lesion.
SMALLEST_LESION_ML = 0.1


def find_lesions(infection: np.ndarray, array: np.ndarray, grid: Grid) -> list[dict[str, Any]]:
    """The components of a mask in which voxels touch by faces, edges or corners, specks included.

    Args:
        infection: bool (z, y, x), the infection of one lung.
        array: Hounsfield units (z, y, x) on the same grid.
        grid: Where the voxels lie.

    Returns:
        A dict for each component, largest first, with `volume_ml`, `mean_hu`, `centre_lps_mm` and `centre_ras_mm`
        (centre of gravity, which a crescent may not contain), and `inside_lps_mm` and `inside_ras_mm` (the voxel of
        the component nearest to that). Nothing is rounded.
    """
    box = bounding_box(infection)
    if box is None:
        return []
    labels, count = label_components(infection[box])
    found = np.flatnonzero(labels)
    component = labels.ravel()[found] - 1
    index_zyx = np.unravel_index(found, labels.shape)
    hounsfield = array[box][index_zyx]
    index = np.stack([along.astype(np.float32) for along in index_zyx[::-1]])
    del labels, found, index_zyx

    voxels = np.bincount(component, minlength=count)
    mean_hu = np.bincount(component, hounsfield, count) / voxels
    centre = np.stack([np.bincount(component, along, count) for along in index]) / voxels
    nearest = index[:, _nearest(component, index, centre, np.asarray(grid.spacing))]
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


def _nearest(component: np.ndarray, index: np.ndarray, centre: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """For each component, the position in `index` (3, n) of the voxel nearest to its centre (3, components)."""
    distance = np.zeros(component.size, np.float32)
    for along, middle, step in zip(index, centre, spacing, strict=True):
        distance += ((along - middle[component]) * step) ** 2
    shortest = np.full(centre.shape[1], np.inf, np.float32)
    np.minimum.at(shortest, component, distance)
    hits = np.flatnonzero(distance == shortest[component])
    # Of several equally near, the first in the array's order: np.unique gives the first occurrence.
    return hits[np.unique(component[hits], return_index=True)[1]]


def _to_lps(grid: Grid, index: np.ndarray) -> np.ndarray:
    """LPS millimetres (3, n) of voxel indices (x, y, z) as columns (3, n)."""
    return grid.affine_lps[:3, :3] @ index + grid.affine_lps[:3, 3:]
