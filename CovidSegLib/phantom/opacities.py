"""Ground-glass opacities and consolidations with known position and volume."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .anatomy import lung_depth_at
from .canvas import Canvas, Shape

GROUND_GLASS, CONSOLIDATION = "ground-glass", "consolidation"
#: Kind and radius in mm of the opacities of an infected patient.
OPACITIES = (
    (GROUND_GLASS, 26.0),
    (GROUND_GLASS, 22.0),
    (GROUND_GLASS, 20.0),
    (GROUND_GLASS, 17.0),
    (GROUND_GLASS, 15.0),
    (GROUND_GLASS, 12.0),
    (CONSOLIDATION, 15.0),
    (CONSOLIDATION, 11.0),
)


@dataclass(frozen=True)
class Lesion:
    """One opacity. Position and volume are those of the whole opacity, even if the grid covers only part of it.

    Attributes:
        kind: "ground-glass" or "consolidation".
        centre: LPS position in mm of the centroid of the opacity, as clipped to the lung.
        volume_ml: Volume in millilitres, measured on a grid of 1 mm whatever the grid of the phantom.
        lung: "right" or "left".
    """

    kind: str
    centre: tuple[float, float, float]
    volume_ml: float
    lung: str


class Opacity(NamedTuple):
    """A lesion and how it is drawn.

    Attributes:
        lesion: Its description.
        shape: The solid, before it is clipped to the lung.
        hu: Mean Hounsfield units.
    """

    lesion: Lesion
    shape: Shape
    hu: float


@lru_cache(maxsize=4)
def place_opacities(seed: int) -> list[Opacity]:
    """Place opacities in the lungs, without overlap."""
    rng = np.random.default_rng((seed, 2))
    placed: list[tuple[np.ndarray, float]] = []
    opacities: list[Opacity] = []
    for number, (kind, radius) in enumerate(OPACITIES):
        side = 1 if number % 2 else -1
        low, high = np.sort([[side * 5, -80, -180], [side * 140, 90, 70]], axis=0)
        while True:
            centre = rng.uniform(low, high)
            depth = float(lung_depth_at(centre[None])[0])
            # COVID-19 favours the peripheral and posterior parts of the lung.
            typical = 3 < depth < 12 and centre[1] > rng.uniform(-60, 60) and abs(centre[0]) > 45
            if typical and all(np.linalg.norm(centre - c) > 1.5 * (radius + r) for c, r in placed):
                break
        shape = blob(rng, centre, radius)
        placed.append((centre, radius))
        hu = rng.uniform(-590, -500) if kind == GROUND_GLASS else rng.uniform(0, 30)
        points = _points_in_lung(shape)
        x, y, z = map(float, points.mean(0))
        lesion = Lesion(kind, (x, y, z), len(points) / 1000, "right" if side < 0 else "left")
        opacities.append(Opacity(lesion, shape, float(hu)))
    return opacities


def _points_in_lung(shape: Shape) -> np.ndarray:
    """Return the LPS points (n, 3) of a grid of 1 mm that lie both in a shape and in the lungs."""
    axes = [np.arange(low, high, 1.0) for low, high in zip(shape.low, shape.high, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3).astype(np.float32)
    points = points[shape.distance(*points.T).ravel() > 0]
    return points[lung_depth_at(points) > 0]


def blob(rng: np.random.Generator, centre: np.ndarray, radius: float) -> Shape:
    """Return a round solid with an uneven surface.

    Args:
        rng: Source of the unevenness.
        centre: LPS position in mm.
        radius: Radius in mm.
    """
    stretch = rng.uniform(0.8, 1.25, 3).astype(np.float32)
    waves = rng.normal(0, 1, (9, 3))
    steps = rng.uniform(3.0, 14.0, 9) / radius
    waves *= steps[:, None] / np.linalg.norm(waves, axis=1, keepdims=True)
    phases = rng.uniform(0, 2 * np.pi, 9)
    reach = 1.5 * radius * stretch

    def distance(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        dx, dy, dz = x - np.float32(centre[0]), y - np.float32(centre[1]), z - np.float32(centre[2])
        away = np.sqrt((dx / stretch[0]) ** 2 + (dy / stretch[1]) ** 2 + (dz / stretch[2]) ** 2)
        bumps = sum(
            np.sin(np.float32(a) * dx + np.float32(b) * dy + np.float32(c) * dz + np.float32(phase)) / np.float32(step)
            for (a, b, c), phase, step in zip(waves, phases, steps, strict=True)
        )
        return np.float32(radius) - away + np.float32(0.45) * bumps

    return Shape(centre - reach, centre + reach, distance)


def paint_opacity(canvas: Canvas, opacity: Opacity, lung_depth: np.ndarray, infection: np.ndarray) -> None:
    """Draw the part of an opacity that lies in the lungs.

    Args:
        canvas: The canvas to draw on.
        opacity: The opacity.
        lung_depth: Depth below the pleura in mm at each voxel of the canvas.
        infection: Mask of the canvas, to which the opacity is added.
    """
    shape, ground_glass = opacity.shape, opacity.lesion.kind == GROUND_GLASS
    region = canvas.region(shape.low - 4, shape.high + 4)
    if region is None:
        return
    index, (x, y, z) = region
    depth = shape.distance(x, y, z)
    infection[index] |= (depth > 0) & (lung_depth[index] > 0)
    mottle = 90 * np.sin(0.9 * x + 0.4 * y) * np.sin(0.8 * y - 0.5 * z) * np.sin(0.7 * z + 0.6 * x)
    mottle += 60 * np.sin(0.31 * x - 0.27 * z) * np.sin(0.33 * y + 0.22 * z)
    edge = 9.0 if ground_glass else 4.0
    amount = np.clip(depth / edge + 0.5, 0, 1) * np.clip(lung_depth[index] / canvas.edge + 0.5, 0, 1)
    hu = canvas.hu[index]
    hu += amount * (opacity.hu + mottle * (1.0 if ground_glass else 0.3) - hu)
