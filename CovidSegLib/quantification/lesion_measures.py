"""Measure the lesions that a `LesionTracker` follows. Only lesions that have changed are measured again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..masks import Box
from ..segmentation import LEFT_LUNG, RIGHT_LUNG
from .lesion_tracking import LesionTracker
from .lesions import is_lesion
from .zones import ZONES

SIDES = {0: "outside", RIGHT_LUNG: "right", LEFT_LUNG: "left"}


@dataclass(frozen=True)
class Lesion:
    """One lesion, as a table shows it.

    Attributes:
        number: Number of the lesion. It stays the same while the infection is edited.
        state: "proposed", "accepted", "rejected" or "edited".
        side: "right", "left", or "outside" if the lesion lies outside the lungs.
        zone: "upper", "middle" or "lower", where the centre of gravity is (see `zones`); None outside the lungs.
        lobe: Name of the lobe that holds most of the lesion, or None if lobes are not known.
        volume_ml: Volume in ml.
        mean_hu: Mean density in HU.
        mean_probability: Mean probability of infection, 0 to 1, or None if it is not known.
        box: Bounding box (z, y, x).
        inside: Index (z, y, x) of a voxel of the lesion.
    """

    number: int
    state: str
    side: str
    zone: str | None
    lobe: str | None
    volume_ml: float
    mean_hu: float
    mean_probability: float | None
    box: Box
    inside: tuple[int, int, int]


@dataclass(frozen=True)
class Surroundings:
    """What lesions are measured on. All arrays (z, y, x) are on the grid of the tracker.

    Attributes:
        array: HU.
        zone_limits: Heights that divide the right and the left lung into zones, (2, 2), from `zones.zone_limits`.
        probability: uint8, probability of infection from 0 to 255 within `probability_box`; or None.
        probability_box: Position of `probability` on the grid.
        lobes: uint8, number of the lobe at each voxel, 0 for none; or None.
        lobe_names: Name of each lobe, by its number.
    """

    array: np.ndarray
    zone_limits: np.ndarray
    probability: np.ndarray | None = None
    probability_box: Box | None = None
    lobes: np.ndarray | None = None
    lobe_names: Mapping[int, str] | None = None


class LesionMeasures:
    """Measures lesions, and keeps the numbers of those that have not changed.

    Args:
        tracker: Follows the lesions. Its set `changed` is cleared here.
    """

    def __init__(self, tracker: LesionTracker):
        self.tracker = tracker
        self._measured: dict[int, tuple[float, float | None, str | None, float]] = {}
        self._surroundings: Surroundings | None = None

    def lesions(self, surroundings: Surroundings) -> list[Lesion]:
        """Return all lesions of at least the smallest listed volume, also rejected ones, by number."""
        return [self._lesion(number, surroundings) for number in self._listed(surroundings)]

    def steps(self, surroundings: Surroundings) -> Iterator[int]:
        """Measure what `lesions` needs, lesion by lesion, so that a user interface stays responsive.

        Yields:
            The number of each lesion after it was measured.
        """
        for number in self._listed(surroundings):
            self._lesion(number, surroundings)
            yield number

    def _listed(self, surroundings: Surroundings) -> list[int]:
        """Forget what is outdated, and return the numbers of the lesions that are large enough."""
        if self._surroundings is not surroundings:
            self._measured.clear()
            self._surroundings = surroundings
        tracker = self.tracker
        for number in tracker.changed:
            self._measured.pop(number, None)
        tracker.changed.clear()
        return [number for number in tracker.numbers() if is_lesion(tracker.voxels[number] * tracker.grid.voxel_ml)]

    def _lesion(self, number: int, surroundings: Surroundings) -> Lesion:
        tracker = self.tracker
        if number not in self._measured:
            self._measured[number] = self._measure(number, surroundings)
        mean_hu, probability, lobe, position = self._measured[number]
        lung = tracker.lung(number)
        return Lesion(
            number=number,
            state=tracker.state(number),
            side=SIDES[lung],
            zone=ZONES[int((position <= surroundings.zone_limits[lung - 1]).sum())] if lung else None,
            lobe=lobe,
            volume_ml=tracker.voxels[number] * tracker.grid.voxel_ml,
            mean_hu=mean_hu,
            mean_probability=probability,
            box=tracker.boxes[number],
            inside=tracker.points(number)[0][:3],
        )

    def _measure(self, number: int, surroundings: Surroundings) -> tuple[float, float | None, str | None, float]:
        """Return mean HU, mean probability, lobe, and position of the centre of gravity from feet to head."""
        box, mask = self.tracker.boxes[number], self.tracker.mask(number)
        mean_hu = float(surroundings.array[box].mean(where=mask, dtype=float))
        probability = lobe = None
        if surroundings.probability is not None and surroundings.probability_box is not None:
            inside = _common(box, surroundings.probability_box)
            total = 0.0
            if inside is not None:
                part = surroundings.probability[_relative(inside, surroundings.probability_box)]
                total = float(part.sum(where=mask[_relative(inside, box)], dtype=float))
            probability = total / 255 / self.tracker.voxels[number]
        if surroundings.lobes is not None:
            voxels = np.bincount(surroundings.lobes[box][mask])
            voxels[0] = 0
            lobe = (surroundings.lobe_names or {}).get(int(voxels.argmax())) if voxels.any() else None
        # The centre of gravity from the sums over planes: much faster than the indices of all voxels.
        index = []
        for axis in range(3):
            plane = np.count_nonzero(mask, axis=tuple({0, 1, 2} - {axis}))
            index.append(float(plane @ np.arange(plane.size)) / self.tracker.voxels[number] + box[axis].start)
        return mean_hu, probability, lobe, float(self.tracker.grid.affine_ras[2] @ [*index[::-1], 1])


def _common(first: Box, second: Box) -> Box | None:
    z, y, x = (slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(first, second, strict=True))
    return (z, y, x) if all(part.stop > part.start for part in (z, y, x)) else None


def _relative(box: Box, to: Box) -> Box:
    z, y, x = (slice(a.start - b.start, a.stop - b.start) for a, b in zip(box, to, strict=True))
    return z, y, x
