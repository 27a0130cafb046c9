"""Trees of vessels that fill a lung. The radius of a branch depends on the number of leaves that it supplies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .canvas import Shape, tube

#: A segment of a vessel and its radius in mm.
Vessel = tuple[Shape, float]

LEAF_RADIUS = 0.6
#: The radius of a branch to this power is the sum over its children: 3 by Murray's law, slightly less as measured.
MURRAY = 2.7
#: Branches that supply fewer leaves have no bronchus that is visible in a CT.
BRONCHUS_LEAVES = 130


def vessel_tree(rng: np.random.Generator, root: np.ndarray, leaves: np.ndarray) -> tuple[list[Vessel], list[Shape]]:
    """Grow a tree from its root to all leaves.

    Args:
        rng: Source of the curvature of the branches.
        root: LPS position in mm, shape (3,).
        leaves: LPS positions in mm, shape (n, 3).

    Returns:
        The vessels, and the lumina of the bronchi that run beside the thick ones.
    """
    vessels: list[Vessel] = []
    bronchi: list[Shape] = []

    def grow(start: np.ndarray, supplied: np.ndarray, before: float) -> None:
        count = len(supplied)
        radius = LEAF_RADIUS * count ** (1 / MURRAY)
        # The tree spreads evenly if a branch divides well before the centre of the leaves that it supplies.
        share = 1.0 if count == 1 else 0.5 if count <= 6 else 0.34 if count <= 300 else 0.4
        end = start + (supplied.mean(0) - start) * share
        length = float(np.linalg.norm(end - start))
        bend = (start + end) / 2 + rng.normal(0, 0.04 * length, 3)
        tip = radius * (0.5 if count == 1 else 1.0)
        first = min(before, radius * 1.15)
        if count < 4:
            vessels.append((tube(start, end, first, tip), radius))
        else:
            vessels.extend(((tube(start, bend, first, radius), radius), (tube(bend, end, radius, tip), radius)))
        if count >= BRONCHUS_LEAVES:
            beside = (1.7 * radius + 1) * np.array([0.0, 0.75, 0.65])
            bronchi.append(tube(start + beside, end + beside, radius * 0.7, radius * 0.6))
        if count > 1:
            spread = supplied - supplied.mean(0)
            along = np.linalg.svd(spread, full_matrices=False)[2][0]
            order = np.argsort(spread @ along, kind="stable")
            cut = min(max(round(count * rng.uniform(0.3, 0.7)), 1), count - 1)
            grow(end, supplied[order[:cut]], radius)
            grow(end, supplied[order[cut:]], radius)

    grow(np.asarray(root, float), np.asarray(leaves, float), np.inf)
    return vessels, bronchi


def scatter(
    rng: np.random.Generator,
    depth: Callable[[np.ndarray], np.ndarray],
    low: np.ndarray,
    high: np.ndarray,
    count: int,
    min_depth: float,
) -> np.ndarray:
    """Draw random points from the part of a box that lies deeper than a certain depth.

    Args:
        rng: Source of the points.
        depth: Function of LPS points (n, 3) in mm that returns their depth in mm.
        low: Lowest corner of the box, LPS mm.
        high: Highest corner of the box, LPS mm.
        count: Number of points.
        min_depth: Depth in mm that all points exceed.

    Returns:
        LPS positions in mm (count, 3), uniformly distributed.
    """
    kept: list[np.ndarray] = []
    while sum(map(len, kept)) < count:
        points = rng.uniform(low, high, (4096, 3))
        kept.append(points[depth(points) > min_depth])
    return np.concatenate(kept)[:count]
