"""A synthetic chest CT with known lungs and infection, for the demo and for tests.

The anatomy is defined in patient millimetres and evaluated at the voxel centres of any grid: oblique, flipped,
anisotropic. It is nobody's body, and `Volume.source` says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter

from ..volume import AIR_HU, Grid, Volume
from . import anatomy
from .canvas import Canvas, Shape
from .grids import default_grid
from .opacities import Lesion, blob
from .tissues import AIR, BLOOD, FAT
from .vessels import Vessel, scatter, vessel_tree

SLAB_VOXELS = 4_000_000
#: The highest value of a CT with 12 bits a pixel.
MAX_PHANTOM_HU = 3071
NOISE_LUNG, NOISE_BODY = 15.0, 24.0
GROUND_GLASS = (
    ("ground-glass", 26.0),
    ("ground-glass", 22.0),
    ("ground-glass", 20.0),
    ("ground-glass", 17.0),
    ("ground-glass", 15.0),
    ("ground-glass", 12.0),
)
CONSOLIDATION = (("consolidation", 15.0), ("consolidation", 11.0))


@dataclass(frozen=True)
class Phantom:
    """A synthetic CT and the truth about it.

    Attributes:
        volume: int16 HU, (z, y, x).
        lungs: uint8 (z, y, x): 0 outside, 1 right lung, 2 left lung; infection included.
        infection: bool (z, y, x).
        lesions: The opacities that `infection` is made of.
    """

    volume: Volume
    lungs: np.ndarray
    infection: np.ndarray
    lesions: tuple[Lesion, ...]


def make_phantom(grid: Grid | None = None, *, seed: int = 0, infected: bool = True) -> Phantom:
    """Make a synthetic chest CT.

    Args:
        grid: Where to evaluate the anatomy; `default_grid()` if None. Any position and orientation in the patient.
        seed: The vessels, the lesions and the noise; the same seed and grid give the same bytes.
        infected: Whether there are lesions.

    Returns:
        The CT, with the truth on the same grid.
    """
    grid = grid or default_grid()
    vessels, bronchi = _trees(seed)
    opacities = _opacities(seed) if infected else []
    hu = np.empty(grid.shape, np.int16)
    lungs = np.zeros(grid.shape, np.uint8)
    infection = np.zeros(grid.shape, bool)
    step = max(1, SLAB_VOXELS // (grid.shape[1] * grid.shape[2]))
    for first in range(0, grid.shape[0], step):
        last = min(first + step, grid.shape[0])
        canvas = Canvas(grid, first, last)
        lungs[first:last], infection[first:last] = _paint(canvas, vessels, bronchi, opacities)
        _add_noise(canvas.hu, grid, seed, first)
        hu[first:last] = np.rint(np.clip(canvas.hu, AIR_HU, MAX_PHANTOM_HU))
    source = {"format": "synthetic phantom", "seed": seed, "infected": infected}
    return Phantom(Volume(hu, grid, source), lungs, infection, tuple(lesion for lesion, _, _ in opacities))


@lru_cache(maxsize=4)
def _trees(seed: int) -> tuple[list[Vessel], list[Shape]]:
    """Arteries and veins of both lungs, and the bronchi beside the arteries."""
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


@lru_cache(maxsize=4)
def _opacities(seed: int) -> list[tuple[Lesion, Shape, float]]:
    """The lesions, their shapes before they are clipped to the lung, and their HU."""
    rng = np.random.default_rng((seed, 2))
    placed: list[tuple[np.ndarray, float]] = []
    found: list[tuple[Lesion, Shape, float]] = []
    for number, (kind, radius) in enumerate((*GROUND_GLASS, *CONSOLIDATION)):
        side = 1 if number % 2 else -1
        low, high = np.sort([[side * 5, -80, -180], [side * 140, 90, 70]], axis=0)
        while True:
            centre = rng.uniform(low, high)
            depth = float(anatomy.lung_depth_at(centre[None])[0])
            # COVID-19 favours the lung's outer and posterior parts.
            wanted = 3 < depth < 12 and centre[1] > rng.uniform(-60, 60) and abs(centre[0]) > 45
            if wanted and all(np.linalg.norm(centre - c) > 1.5 * (radius + r) for c, r in placed):
                break
        shape = blob(rng, centre, radius)
        placed.append((centre, radius))
        hu = rng.uniform(-590, -500) if kind == "ground-glass" else rng.uniform(0, 30)
        axes = [np.arange(low, high, 1.0) for low, high in zip(shape.low, shape.high, strict=True)]
        points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3).astype(np.float32)
        points = points[shape.distance(*points.T).ravel() > 0]
        points = points[anatomy.lung_depth_at(points) > 0]
        x, y, z = map(float, points.mean(0))
        lesion = Lesion(kind, (x, y, z), len(points) / 1000, "right" if side < 0 else "left")
        found.append((lesion, shape, float(hu)))
    return found


def _paint(
    canvas: Canvas, vessels: list[Vessel], bronchi: list[Shape], opacities: list[tuple[Lesion, Shape, float]]
) -> tuple[np.ndarray, np.ndarray]:
    """Paint everything from the outside in; return the lungs (uint8) and the infection (bool) of the canvas."""
    lungs = np.zeros(canvas.hu.shape, np.uint8)
    infection = np.zeros(canvas.hu.shape, bool)
    anatomy.paint_table(canvas)
    anatomy.paint_body(canvas)
    found = canvas.part(*anatomy.THORAX)
    if not found:
        return lungs, infection
    where, points = found
    cavity = anatomy.cavity_depth(*points)
    canvas.mix(where, np.minimum(cavity + 2, anatomy.APEX - points[2]), FAT)
    anatomy.paint_abdomen(canvas, cavity, where, points)
    anatomy.paint_bones(canvas, cavity, where, points)
    anatomy.paint_mediastinum(canvas)

    depth = np.full(canvas.hu.shape, -99, np.float32)
    depth[where] = anatomy.lung_depth(*points, cavity)
    for shape, wall in anatomy.carvings():
        part = canvas.part(shape.low - wall, shape.high + wall)
        if part:
            depth[part[0]] = np.minimum(depth[part[0]], -wall - shape.distance(*part[1]))
    lungs[where] = np.where(depth[where] > 0, np.where(points[0] < 0, np.uint8(1), np.uint8(2)), np.uint8(0))
    canvas.mix(where, depth[where], _parenchyma(*points))

    for lesion, shape, hu in opacities:
        _paint_lesion(canvas, depth, infection, lesion.kind, shape, hu)
    for shape, radius in vessels:
        # A vessel thinner than the blur fills its voxels in part.
        canvas.paint(shape, BLOOD, strength=min(1.0, 1.6 * radius / canvas.edge))
    for lesion, shape, hu in opacities:
        if lesion.kind == "consolidation":
            _paint_lesion(canvas, depth, infection, lesion.kind, shape, hu)
    for wall, hu in ((0.9, -50.0), (0.0, AIR + 20)):
        for shape in bronchi:
            part = canvas.part(shape.low - wall, shape.high + wall)
            if part:
                canvas.mix(part[0], shape.distance(*part[1]) + wall, hu)
    anatomy.paint_airways(canvas)
    return lungs, infection


def _parenchyma(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """HU of lung tissue: denser behind, where the blood is, and thin fissures."""
    slope = np.float32(0.36) * y - 884
    fissure = np.abs(z + 40 - np.float32(0.8) * y + np.float32(0.0016) * x**2 + 5 * np.sin(y / 17) - 5)
    return slope + 90 * np.clip(1 - fissure / np.float32(2), 0, 1)


def _paint_lesion(canvas: Canvas, lung: np.ndarray, infection: np.ndarray, kind: str, shape: Shape, hu: float) -> None:
    part = canvas.part(shape.low - 4, shape.high + 4)
    if not part:
        return
    where, (x, y, z) = part
    depth = shape.distance(x, y, z)
    infection[where] |= (depth > 0) & (lung[where] > 0)
    mottle = 90 * np.sin(0.9 * x + 0.4 * y) * np.sin(0.8 * y - 0.5 * z) * np.sin(0.7 * z + 0.6 * x)
    mottle += 60 * np.sin(0.31 * x - 0.27 * z) * np.sin(0.33 * y + 0.22 * z)
    edge = 9.0 if kind == "ground-glass" else 4.0
    amount = np.clip(depth / edge + 0.5, 0, 1) * np.clip(lung[where] / canvas.edge + 0.5, 0, 1)
    target = canvas.hu[where]
    target += amount * (hu + mottle * (1.0 if kind == "ground-glass" else 0.3) - target)


def _add_noise(hu: np.ndarray, grid: Grid, seed: int, first: int) -> None:
    """Add noise that is correlated within a slice as a soft kernel leaves it, stronger in tissue than in air."""
    sigma = [0.75 / spacing for spacing in grid.spacing[1::-1]]
    impulse = np.zeros((33, 33), np.float32)
    impulse[16, 16] = 1
    gain = float(np.sqrt((gaussian_filter(impulse, sigma) ** 2).sum()))
    for index in range(len(hu)):
        white = np.random.default_rng((seed, 3, first + index)).standard_normal(hu.shape[1:], np.float32)
        strength = NOISE_LUNG + (NOISE_BODY - NOISE_LUNG) * np.clip((hu[index] + 1000) / 900, 0, 1)
        hu[index] += gaussian_filter(white, sigma) / gain * strength
