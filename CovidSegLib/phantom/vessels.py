"""Trees of vessels that fill a lung, each branch as thick as the leaves that it serves ask for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .canvas import Shape, tube

#: A stretch of vessel and its radius in mm.
Vessel = tuple[Shape, float]

LEAF_RADIUS = 0.6
#: A parent's radius to this power is the sum of its children's: 3 after Murray, somewhat less as measured.
MURRAY = 2.7
#: Twigs that serve fewer leaves than this have no bronchus that a CT would show.
BRONCHUS_LEAVES = 130


def vessel_tree(rng: np.random.Generator, root: np.ndarray, leaves: np.ndarray) -> tuple[list[Vessel], list[Shape]]:
    """A tree from `root` to every point of `leaves`.

    Args:
        rng: Bends the branches.
        root: LPS mm, shape (3,).
        leaves: LPS mm, shape (n, 3).

    Returns:
        The vessels, and beside the thick ones the bronchi (the radius is the lumen's).
    """
    vessels: list[Vessel] = []
    bronchi: list[Shape] = []

    def grow(start: np.ndarray, served: np.ndarray, before: float) -> None:
        count = len(served)
        radius = LEAF_RADIUS * count ** (1 / MURRAY)
        # Dividing well before the middle of what it serves makes a tree spread straight from its root.
        share = 1.0 if count == 1 else 0.5 if count <= 6 else 0.34 if count <= 300 else 0.4
        end = start + (served.mean(0) - start) * share
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
            spread = served - served.mean(0)
            along = np.linalg.svd(spread, full_matrices=False)[2][0]
            order = np.argsort(spread @ along, kind="stable")
            cut = min(max(round(count * rng.uniform(0.3, 0.7)), 1), count - 1)
            grow(end, served[order[:cut]], radius)
            grow(end, served[order[cut:]], radius)

    grow(np.asarray(root, float), np.asarray(leaves, float), np.inf)
    return vessels, bronchi


def scatter(
    rng: np.random.Generator,
    depth: Callable[[np.ndarray], np.ndarray],
    low: np.ndarray,
    high: np.ndarray,
    count: int,
    least: float,
) -> np.ndarray:
    """`count` points (n, 3) in LPS mm within a box, evenly spread over where `depth` is at least `least` mm."""
    kept: list[np.ndarray] = []
    while sum(map(len, kept)) < count:
        points = rng.uniform(low, high, (4096, 3))
        kept.append(points[depth(points) > least])
    return np.concatenate(kept)[:count]
