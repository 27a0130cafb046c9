"""What has become of each lesion between two CTs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage, sparse

from ..masks import label_components
from ..quantification.lesions import is_lesion
from ..volume import Grid

#: In the order of their labels in `Comparison.labels`, from 1.
CHANGES = ("new", "grown", "stable", "shrunken", "resolved")
#: A lesion has grown or shrunk if its volume has changed by this share or more: the limit for pulmonary nodules in the
#: guidelines of the British Thoracic Society (Callister et al., Thorax 2015, 70:ii1-ii54).
CHANGED_SHARE = 0.25
#: Lesions correspond if they overlap after this dilation, which bridges errors of the registration.
TOLERANCE_MM = 3.0


@dataclass(frozen=True)
class LesionChange:
    """A lesion in both CTs, or in one of them. Lesions that have merged or split are one.

    Attributes:
        change: One of `CHANGES`.
        current_ml: Volume in the current CT.
        prior_ml: Volume in the prior CT, before registration.
        inside_lps_mm: A point of the lesion in the current CT (of the registered prior lesion if it has resolved).
        current: Labels of the current components that belong to it, as in `Comparison.components`.
        prior: Labels of the prior components, as in the input.
    """

    change: str
    current_ml: float
    prior_ml: float
    inside_lps_mm: tuple[float, float, float]
    current: tuple[int, ...]
    prior: tuple[int, ...]

    @property
    def difference_ml(self) -> float:
        """Current volume minus prior volume."""
        return self.current_ml - self.prior_ml


@dataclass(frozen=True)
class Comparison:
    """The changes between two CTs, on the grid of the current one.

    Attributes:
        lesions: The lesions, the largest change first.
        labels: uint8 (z, y, x): 0, or 1 to 5 for the change of the lesion at this voxel, in the order of `CHANGES`.
        components: int32 (z, y, x): the components of the current infection, from 1.
    """

    lesions: tuple[LesionChange, ...]
    labels: np.ndarray
    components: np.ndarray


def compare_lesions(
    infection: np.ndarray, grid: Grid, prior_components: np.ndarray, prior_ml: dict[int, float]
) -> Comparison:
    """Compare the lesions of the current CT with those of the prior CT.

    Args:
        infection: Boolean (z, y, x), the infection in the current CT.
        grid: The grid of the current CT.
        prior_components: int (z, y, x), the components of the prior infection, from 1, resampled to `grid`.
        prior_ml: Volume of each prior component in its own CT.

    Returns:
        The changes. Components too small to be lesions in both CTs are left out.
    """
    components, count = label_components(infection)
    components = components.astype(np.int32)
    volumes = np.bincount(components.ravel(), minlength=count + 1)[1:] * grid.voxel_ml
    groups = _groups(components, count, _dilated(prior_components, grid), sorted(prior_ml))
    labels = np.zeros(infection.shape, np.uint8)
    lesions = []
    for current, prior in groups:
        current_ml = float(sum(volumes[label - 1] for label in current))
        before_ml = float(sum(prior_ml[label] for label in prior))
        if not (is_lesion(current_ml) or is_lesion(before_ml)):
            continue
        change = _change(current_ml, before_ml)
        where = np.isin(components, current) if current else np.isin(prior_components, prior)
        labels[where & (labels == 0)] = 1 + CHANGES.index(change)
        lesions.append(LesionChange(change, current_ml, before_ml, _point_inside(where, grid), current, prior))
    lesions.sort(key=lambda lesion: -abs(lesion.difference_ml))
    return Comparison(tuple(lesions), labels, components)


def _dilated(labels: np.ndarray, grid: Grid) -> np.ndarray:
    """Labels grown by `TOLERANCE_MM` into the background."""
    sampling = tuple(reversed(grid.spacing))
    if not labels.any():
        return labels
    distance, nearest = ndimage.distance_transform_edt(labels == 0, sampling, return_indices=True)
    return np.where(distance <= TOLERANCE_MM, labels[tuple(nearest)], 0)


def _groups(
    components: np.ndarray, count: int, prior: np.ndarray, prior_labels: list[int]
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Current and prior components that overlap, directly or through others."""
    index = {label: count + number for number, label in enumerate(prior_labels)}
    both = (components > 0) & (prior > 0)
    pairs = np.unique(np.stack([components[both], prior[both]]), axis=1) if both.any() else np.zeros((2, 0), int)
    rows = pairs[0] - 1
    columns = [index[label] for label in pairs[1].tolist()]
    size = count + len(prior_labels)
    graph = sparse.coo_array((np.ones(len(columns), bool), (rows, columns)), (size, size))
    _, group = sparse.csgraph.connected_components(graph, directed=False)
    members: dict[int, tuple[list[int], list[int]]] = {}
    for node, number in enumerate(group.tolist()):
        current, earlier = members.setdefault(number, ([], []))
        if node < count:
            current.append(node + 1)
        else:
            earlier.append(prior_labels[node - count])
    return [(tuple(current), tuple(earlier)) for current, earlier in members.values()]


def _change(current_ml: float, prior_ml: float) -> str:
    if not prior_ml:
        return "new"
    if not current_ml:
        return "resolved"
    share = (current_ml - prior_ml) / prior_ml
    limit = CHANGED_SHARE * (1 - 1e-9)  # inclusive, whatever the rounding of the volumes
    return "grown" if share >= limit else "shrunken" if share <= -limit else "stable"


def _point_inside(where: np.ndarray, grid: Grid) -> tuple[float, float, float]:
    """The LPS position of the voxel that is deepest inside a mask."""
    if not where.any():
        return (float("nan"),) * 3
    depth = ndimage.distance_transform_edt(np.pad(where, 1), tuple(reversed(grid.spacing)))[1:-1, 1:-1, 1:-1]
    z, y, x = (int(i) for i in np.unravel_index(int(depth.argmax()), where.shape))
    lps = (grid.affine_lps @ (x, y, z, 1))[:3]
    return float(lps[0]), float(lps[1]), float(lps[2])


def volumes_of(components: np.ndarray, labels: Iterable[int], voxel_ml: float) -> dict[int, float]:
    """Volume of each component in ml."""
    counts = np.bincount(components.ravel())
    return {label: float(counts[label]) * voxel_ml for label in labels}
