"""What has become of each lesion between two CTs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage, sparse

from ..masks import Box, bounding_box
from ..quantification.lesion_components import label_codes
from ..quantification.lesions import is_lesion
from ..volume import Grid

#: In the order of their labels in `Comparison.labels`, from 1. A lesion is "not covered" if the other CT does not show
#: the place where it lies.
CHANGES = ("new", "grown", "stable", "shrunken", "resolved", "not covered")
#: A lesion has grown or shrunk if its volume has changed by this share or more: the limit for pulmonary nodules in the
#: guidelines of the British Thoracic Society (Callister et al., Thorax 2015, 70:ii1-ii54).
CHANGED_SHARE = 0.25
#: Lesions correspond if they overlap after this dilation, which bridges errors of the registration.
TOLERANCE_MM = 3.0
#: A lesion of which the other CT shows less than this share is not covered.
COVERED_SHARE = 0.5

Point = tuple[float, float, float]


@dataclass(frozen=True)
class LesionChange:
    """A lesion in both CTs, or in one of them. Lesions that have merged or split are one.

    Attributes:
        change: One of `CHANGES`.
        current_ml: Volume in the current CT.
        prior_ml: Volume in the prior CT, before registration.
        inside_lps_mm: A point of the lesion in the current CT (of the registered prior lesion if it has resolved), or
            None if the current CT does not cover it.
        current: Labels of the current components that belong to it.
        prior: Labels of the prior components that belong to it.
    """

    change: str
    current_ml: float
    prior_ml: float
    inside_lps_mm: Point | None
    current: tuple[int, ...]
    prior: tuple[int, ...]

    @property
    def difference_ml(self) -> float:
        """Current volume minus prior volume."""
        return self.current_ml - self.prior_ml

    @property
    def difference_percent(self) -> float | None:
        """Difference in percent of the prior volume; None if the lesion is new."""
        return 100 * self.difference_ml / self.prior_ml if self.prior_ml else None


@dataclass(frozen=True)
class Comparison:
    """The changes between two CTs, on the grid of the current one.

    Attributes:
        lesions: The lesions, the largest change first.
        labels: uint8 (z, y, x): 0, or 1 to 6 for the change of the lesion at this voxel, in the order of `CHANGES`.
            Resolved lesions are where the registered prior CT shows them.
        prior_labels: The same for the lesions of the registered prior CT.
    """

    lesions: tuple[LesionChange, ...]
    labels: np.ndarray
    prior_labels: np.ndarray


def lesion_components(lungs: np.ndarray, infection: np.ndarray, voxel_ml: float) -> tuple[np.ndarray, dict[int, float]]:
    """Label the components of the infection, each within one lung, as the report counts them.

    Args:
        lungs: uint8 (z, y, x): 0 outside, 1 right lung, 2 left lung.
        infection: Boolean (z, y, x).
        voxel_ml: Volume of a voxel.

    Returns:
        int32 (z, y, x): 0, or the label of the component, from 1; and the volume of each component in ml.
    """
    labels, count = label_codes(np.where(infection, lungs, np.uint8(0)))
    voxels = np.bincount(labels.ravel(), minlength=count + 1)
    return labels, {label: float(voxels[label]) * voxel_ml for label in range(1, count + 1)}


def compare_lesions(
    current: np.ndarray,
    current_ml: Mapping[int, float],
    prior: np.ndarray,
    prior_ml: Mapping[int, float],
    grid: Grid,
    covered: np.ndarray | None = None,
) -> Comparison:
    """Compare the lesions of the current CT with those of the prior CT.

    Args:
        current: int (z, y, x), the components of the current infection, from 1.
        current_ml: Volume of each current component.
        prior: int (z, y, x), the components of the prior infection, from 1, resampled to the grid of the current CT.
        prior_ml: Volume of each prior component in its own CT.
        grid: The grid of the current CT.
        covered: Boolean (z, y, x), where the prior CT has voxels; None for everywhere.

    Returns:
        The changes. Components that are too small to be lesions in both CTs are left out.
    """
    labels, prior_labels = np.zeros(grid.shape, np.uint8), np.zeros(grid.shape, np.uint8)
    box = bounding_box((current > 0) | (prior > 0))
    if box is None:
        box = (slice(0, 1),) * 3
    current, prior = current[box], prior[box]
    beyond = set(_beyond_prior(current, covered[box])) if covered is not None else set()
    beyond_current = _beyond_current(prior, prior_ml, grid.voxel_ml)
    boxes, prior_boxes = _boxes(current, current_ml), _boxes(prior, prior_ml)
    lesions = []
    codes, prior_codes = (np.zeros(1 + max(ml, default=0), np.uint8) for ml in (current_ml, prior_ml))
    for now, before in _groups(current, current_ml, prior, prior_ml, prior_boxes, grid):
        now_ml, before_ml = sum(current_ml[label] for label in now), sum(prior_ml[label] for label in before)
        if not (is_lesion(now_ml) or is_lesion(before_ml)):
            continue
        change = _change(now_ml, before_ml)
        if (change == "new" and beyond >= set(now)) or (change == "resolved" and beyond_current >= set(before)):
            change = "not covered"
        codes[list(now)] = prior_codes[list(before)] = 1 + CHANGES.index(change)
        where = _point_inside(current, now, boxes, grid) if now else _point_inside(prior, before, prior_boxes, grid)
        lesions.append(LesionChange(change, now_ml, before_ml, _lps(where, box, grid), now, before))
    prior_labels[box] = prior_codes[prior]
    gone = np.isin(prior_labels[box], [1 + CHANGES.index("resolved")])
    labels[box] = np.where((current == 0) & gone, prior_labels[box], codes[current])
    lesions.sort(key=lambda lesion: -abs(lesion.difference_ml))
    return Comparison(tuple(lesions), labels, prior_labels)


def _beyond_prior(current: np.ndarray, covered: np.ndarray) -> list[int]:
    """Return the current components of which the prior CT shows too little."""
    voxels = np.bincount(current.ravel())
    shown = np.bincount(current[covered].ravel(), minlength=voxels.size)
    return [label for label in range(1, voxels.size) if voxels[label] and shown[label] < COVERED_SHARE * voxels[label]]


def _beyond_current(prior: np.ndarray, prior_ml: Mapping[int, float], voxel_ml: float) -> set[int]:
    """Return the prior components that lie outside the current CT, so that little of them is left after resampling."""
    registered = np.bincount(prior.ravel(), minlength=1 + max(prior_ml, default=0)) * voxel_ml
    return {label for label, ml in prior_ml.items() if registered[label] < COVERED_SHARE * ml}


def _boxes(labels: np.ndarray, volumes: Mapping[int, float]) -> dict[int, Box]:
    found = ndimage.find_objects(labels, max_label=max(volumes, default=0))
    return {label: box for label, box in enumerate(found, start=1) if box is not None}


def _groups(
    current: np.ndarray,
    current_ml: Mapping[int, float],
    prior: np.ndarray,
    prior_ml: Mapping[int, float],
    prior_boxes: Mapping[int, Box],
    grid: Grid,
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return current and prior components that overlap within the tolerance, directly or through others."""
    nodes = [*((label, 0) for label in sorted(current_ml)), *((0, label) for label in sorted(prior_ml))]
    index = {node: number for number, node in enumerate(nodes)}
    pairs = [
        (index[other, 0], index[0, label])
        for label, box in prior_boxes.items()
        for other in _near(prior, label, box, current, grid)
    ]
    rows, columns = zip(*pairs, strict=True) if pairs else ((), ())
    graph = sparse.coo_array((np.ones(len(pairs), bool), (rows, columns)), (len(nodes), len(nodes)))
    _, group = sparse.csgraph.connected_components(graph, directed=False)
    members: dict[int, tuple[list[int], list[int]]] = {}
    for (now, before), number in zip(nodes, group.tolist(), strict=True):
        lists = members.setdefault(number, ([], []))
        lists[0 if now else 1].append(now or before)
    return [(tuple(now), tuple(before)) for now, before in members.values()]


def _near(prior: np.ndarray, label: int, box: Box, current: np.ndarray, grid: Grid) -> list[int]:
    """Return the current components within the tolerance of a prior component."""
    sampling = tuple(reversed(grid.spacing))
    around = tuple(
        slice(max(0, part.start - margin), part.stop + margin)
        for part, margin in zip(box, (int(np.ceil(TOLERANCE_MM / mm)) for mm in sampling), strict=True)
    )
    other = current[around]
    if not other.any():
        return []
    near = ndimage.distance_transform_edt(prior[around] != label, sampling) <= TOLERANCE_MM
    found: list[int] = np.unique(other[near & (other > 0)]).tolist()
    return found


def _change(current_ml: float, prior_ml: float) -> str:
    if not prior_ml:
        return "new"
    if not current_ml:
        return "resolved"
    share = (current_ml - prior_ml) / prior_ml
    limit = CHANGED_SHARE * (1 - 1e-9)  # inclusive, whatever the rounding of the volumes
    return "grown" if share >= limit else "shrunken" if share <= -limit else "stable"


def _point_inside(
    labels: np.ndarray, members: Sequence[int], boxes: Mapping[int, Box], grid: Grid
) -> tuple[int, int, int] | None:
    """Return the voxel (z, y, x) that is deepest inside the largest of some components; None if they have no voxels."""
    present = [label for label in members if label in boxes]
    if not present:
        return None
    largest = max(present, key=lambda label: int(np.count_nonzero(labels[boxes[label]] == label)))
    box = boxes[largest]
    depth = ndimage.distance_transform_edt(np.pad(labels[box] == largest, 1), tuple(reversed(grid.spacing)))
    z, y, x = (int(i) - 1 for i in np.unravel_index(int(depth.argmax()), depth.shape))
    return z + box[0].start, y + box[1].start, x + box[2].start


def _lps(voxel: tuple[int, int, int] | None, box: Box, grid: Grid) -> Point | None:
    if voxel is None:
        return None
    z, y, x = (along + part.start for along, part in zip(voxel, box, strict=True))
    lps = (grid.affine_lps @ (x, y, z, 1))[:3]
    return float(lps[0]), float(lps[1]), float(lps[2])
