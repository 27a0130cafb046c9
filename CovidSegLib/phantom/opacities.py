"""Ground-glass opacities and consolidations of known place and volume."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .canvas import Shape


@dataclass(frozen=True)
class Lesion:
    """One opacity, whole, whether or not the grid covers it.

    Attributes:
        kind: "ground-glass" or "consolidation".
        centre: LPS mm, the centroid of the opacity as clipped to the lung.
        volume_ml: Millilitres, counted on a grid of 1 mm whatever the phantom's grid is.
        lung: "right" or "left".
    """

    kind: str
    centre: tuple[float, float, float]
    volume_ml: float
    lung: str


def blob(rng: np.random.Generator, centre: np.ndarray, radius: float) -> Shape:
    """A round solid with an uneven surface around a point in LPS mm; `radius` in mm."""
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
