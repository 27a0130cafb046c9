"""Make the synthetic chest CT.

The anatomy is defined in patient coordinates in mm and evaluated at the voxel centres of any grid: oblique, flipped,
anisotropic. It represents no real patient, and `Volume.source` says that it is synthetic.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..volume import AIR_HU, Grid, Volume
from . import anatomy
from .canvas import Canvas, Shape
from .grids import default_grid
from .noise import add_noise
from .opacities import CONSOLIDATION, Lesion, Opacity, paint_opacity, place_opacities
from .tissues import AIR, BLOOD, FAT
from .vessels import Vessel, scatter, vessel_tree

#: Voxels that are drawn at a time, which limits memory.
SLAB_VOXELS = 4_000_000
#: Highest value of a CT with 12 bits per pixel.
MAX_PHANTOM_HU = 3071


@dataclass(frozen=True)
class Phantom:
    """A synthetic CT and its ground truth.

    Attributes:
        volume: The CT, int16 HU (z, y, x).
        lungs: uint8 (z, y, x): 0 outside, 1 right lung, 2 left lung; including the infection.
        infection: bool (z, y, x).
        lesions: The opacities that make up `infection`.
    """

    volume: Volume
    lungs: np.ndarray
    infection: np.ndarray
    lesions: tuple[Lesion, ...]


def make_phantom(grid: Grid | None = None, *, seed: int = 0, infected: bool = True) -> Phantom:
    """Make a synthetic chest CT.

    Args:
        grid: The grid of the CT, with any position and orientation in the patient; `default_grid()` if None.
        seed: Seed of the vessels, the lesions and the noise. The same seed and grid give the same bytes.
        infected: Whether there are lesions.

    Returns:
        The CT and its ground truth on the same grid.

    Example:
        >>> phantom = make_phantom(Grid((28, 64, 64), (5.6, 5.6, 11.2), default_grid().origin))
        >>> phantom.volume.array.shape, len(phantom.lesions)
        ((28, 64, 64), 8)
        >>> bool((phantom.lungs[phantom.infection] > 0).all())
        True
    """
    grid = grid or default_grid()
    vessels, bronchi = _vessels_and_bronchi(seed)
    opacities = place_opacities(seed) if infected else []
    hu = np.empty(grid.shape, np.int16)
    lungs = np.zeros(grid.shape, np.uint8)
    infection = np.zeros(grid.shape, bool)
    step = max(1, SLAB_VOXELS // (grid.shape[1] * grid.shape[2]))
    for first in range(0, grid.shape[0], step):
        last = min(first + step, grid.shape[0])
        canvas = Canvas(grid, first, last)
        lungs[first:last], infection[first:last] = _paint(canvas, vessels, bronchi, opacities)
        add_noise(canvas.hu, grid, seed, first)
        hu[first:last] = np.rint(np.clip(canvas.hu, AIR_HU, MAX_PHANTOM_HU))
    source = {"format": "synthetic phantom", "seed": seed, "infected": infected}
    return Phantom(Volume(hu, grid, source), lungs, infection, tuple(opacity.lesion for opacity in opacities))


@lru_cache(maxsize=4)
def _vessels_and_bronchi(seed: int) -> tuple[list[Vessel], list[Shape]]:
    """Return the arteries and veins of both lungs, and the bronchi beside the arteries."""
    rng = np.random.default_rng((seed, 1))
    vessels: list[Vessel] = []
    bronchi: list[Shape] = []
    for side in (-1, 1):
        low, high = np.sort([[side * 5, -85, -190], [side * 140, 90, anatomy.APEX]], axis=0)
        for root, leaves in (((44, 9, -24), 1300), ((42, 14, -47), 1100)):
            points = scatter(rng, anatomy.lung_depth_at, low, high, leaves, 4.0)
            tree, beside = vessel_tree(rng, np.array(root) * (side, 1, 1), points)
            vessels += tree
            bronchi += beside if root[2] > -40 else []
    return vessels, bronchi


def _paint(
    canvas: Canvas, vessels: list[Vessel], bronchi: list[Shape], opacities: list[Opacity]
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the patient from the outside in. Return the masks of the lungs (uint8) and the infection (bool)."""
    lungs = np.zeros(canvas.hu.shape, np.uint8)
    infection = np.zeros(canvas.hu.shape, bool)
    anatomy.paint_table(canvas)
    anatomy.paint_body(canvas)
    thorax = canvas.region(*anatomy.THORAX)
    if thorax is None:
        return lungs, infection
    index, points = thorax
    cavity = anatomy.cavity_depth(*points)
    canvas.mix(index, np.minimum(cavity + 2, anatomy.APEX - points[2]), FAT)
    anatomy.paint_abdomen(canvas, cavity, index, points)
    anatomy.paint_bones(canvas, cavity, index, points)
    anatomy.paint_mediastinum(canvas)

    depth = np.full(canvas.hu.shape, -99, np.float32)
    depth[index] = anatomy.lung_depth(*points, cavity)
    for shape, wall in anatomy.mediastinal_shapes():
        region = canvas.region(shape.low - wall, shape.high + wall)
        if region is not None:
            depth[region[0]] = np.minimum(depth[region[0]], -wall - shape.distance(*region[1]))
    lungs[index] = np.where(depth[index] > 0, np.where(points[0] < 0, np.uint8(1), np.uint8(2)), np.uint8(0))
    canvas.mix(index, depth[index], _parenchyma(*points))

    for opacity in opacities:
        paint_opacity(canvas, opacity, depth, infection)
    for shape, radius in vessels:
        # A vessel that is thinner than the blur fills its voxels only partially.
        canvas.paint(shape, BLOOD, strength=min(1.0, 1.6 * radius / canvas.edge))
    for opacity in opacities:  # consolidation hides the vessels
        if opacity.lesion.kind == CONSOLIDATION:
            paint_opacity(canvas, opacity, depth, infection)
    for wall, hu in ((0.9, -50.0), (0.0, AIR + 20)):
        for shape in bronchi:
            region = canvas.region(shape.low - wall, shape.high + wall)
            if region is not None:
                canvas.mix(region[0], shape.distance(*region[1]) + wall, hu)
    anatomy.paint_airways(canvas)
    return lungs, infection


def _parenchyma(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return the HU of lung tissue, which is denser in the dependent (posterior) part and has thin fissures."""
    slope = np.float32(0.36) * y - 884
    fissure = np.abs(z + 40 - np.float32(0.8) * y + np.float32(0.0016) * x**2 + 5 * np.sin(y / 17) - 5)
    return slope + 90 * np.clip(1 - fissure / np.float32(2), 0, 1)
