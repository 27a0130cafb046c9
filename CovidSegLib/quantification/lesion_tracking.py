"""Lesions that keep their number while a person edits the infection."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..masks import Box
from ..volume import Grid
from .lesion_division import Point, find_neck, points_to_split_off
from .lesion_labels import LesionLabels

#: What a person thinks of a lesion. An edited lesion was changed by hand and not accepted since.
PROPOSED, ACCEPTED, REJECTED, EDITED = STATES = ("proposed", "accepted", "rejected", "edited")

#: Number of slices in one step of `LesionTracker.begin`.
_SLAB = 24
#: Added to the code of a voxel that a person has rejected.
_REJECTED_CODE = np.uint8(4)


@dataclass(frozen=True)
class Mark:
    """What identifies a lesion in a mask, also after the mask was saved and loaded.

    Attributes:
        number: Number of the lesion.
        state: One of `STATES`.
        points: Points in the lesion. A lesion that a person has merged from several has one in each of its parts.
    """

    number: int
    state: str
    points: tuple[Point, ...]


def code_voxels(lungs: np.ndarray, infection: np.ndarray, rejected: np.ndarray | None = None) -> np.ndarray:
    """Combine masks into the codes that `LesionTracker` follows.

    Args:
        lungs: uint8 (z, y, x): 0 outside, 1 right lung, 2 left lung.
        infection: Boolean (z, y, x). It may extend beyond the lungs.
        rejected: Boolean (z, y, x): what a person has rejected, or None. Where it is infected again, infection counts.

    Returns:
        uint8 (z, y, x): 0 for no infection; 1 outside the lungs, 2 in the right lung, 3 in the left lung; 4 more than
        that where it was rejected.

    >>> code_voxels(np.uint8([[[0, 1, 2, 2]]]), np.bool_([[[1, 1, 1, 0]]]), np.bool_([[[0, 0, 0, 1]]]))
    array([[[1, 2, 3, 7]]], dtype=uint8)
    """
    region = lungs + np.uint8(1)
    code = np.multiply(region, infection, dtype=np.uint8)
    if rejected is not None and rejected.any():
        taken = rejected & ~infection
        code[taken] = region[taken] + _REJECTED_CODE
    return code


class LesionTracker(LesionLabels):
    """Numbers the lesions of a scan, and keeps the numbers when voxels change.

    A lesion is a 26-connected component of the infection within one lung. Infection outside the lungs, and what a
    person has rejected, form lesions of their own. When voxels change, these rules hold:

    - A lesion is recognised by overlap. A component without overlap is a new lesion.
    - If a lesion falls apart, its largest part keeps the number. The other parts are new lesions.
    - If lesions grow together, the largest absorbs the others.
    - Lesions that a person has split stay apart although they touch. New voxels go to the nearest of them.
    - A lesion that a person has merged from several does not fall apart.

    New lesions are numbered from the largest to the smallest. A number is never used again.

    Args:
        grid: Grid of the scan.

    Attributes:
        grid: Grid of the scan.
        labels: int32 (z, y, x): number of the lesion at each voxel, 0 for none.
        boxes: Bounding box of each lesion, by number.
        voxels: Number of voxels of each lesion, by number.
        next_number: Number of the next new lesion. Numbers are never used again.
        changed: Numbers of lesions whose voxels have changed. The caller clears this set.

    Example:
        >>> tracker = LesionTracker(Grid((1, 1, 7)))
        >>> lungs = np.ones((1, 1, 7), np.uint8)
        >>> _ = tracker.update(code_voxels(lungs, np.bool_([[[1, 1, 1, 0, 0, 1, 1]]])), by_hand=False)
        >>> _ = tracker.update(code_voxels(lungs, np.bool_([[[1, 1, 0, 0, 1, 1, 1]]])))
        >>> tracker.labels
        array([[[1, 1, 0, 0, 2, 2, 2]]], dtype=int32)
        >>> tracker.state(1)
        'edited'
    """

    def __init__(self, grid: Grid):
        super().__init__(grid)
        self.changed: set[int] = set()
        self._states: dict[int, str] = {}

    # --- what the lesions are ---

    def numbers(self) -> list[int]:
        """Return the numbers of all lesions of any size, in ascending order."""
        return sorted(self.voxels)

    def state(self, number: int) -> str:
        """Return the state of a lesion, one of `STATES`."""
        rejected = self.code[self.points(number)[0][:3]] > _REJECTED_CODE
        return REJECTED if rejected else self._states.get(number, PROPOSED)

    def lung(self, number: int) -> int:
        """Return the lung that a lesion lies in: 0 outside, 1 right, 2 left."""
        return int(self.code[self.points(number)[0][:3]] - 1) % int(_REJECTED_CODE)

    def marks(self, numbers: Iterable[int] | None = None) -> list[Mark]:
        """Return the marks of lesions, of all by default. `adopt` recognises the lesions by them."""
        numbers = self.numbers() if numbers is None else numbers
        return [Mark(number, self.state(number), self.points(number)) for number in numbers]

    # --- when voxels change ---

    def update(self, code: np.ndarray, by_hand: bool = True, where: Box | None = None) -> bool:
        """Follow a change of the masks.

        Args:
            code: The new codes, see `code_voxels`.
            by_hand: A person has edited the masks. Lesions that change become `EDITED`.
            where: Position of the array `code` on the grid. All other codes become 0. By default, it is the whole grid.

        Returns:
            True if anything has changed.
        """
        changed = self.follow(code, where)
        self._forget(changed)
        if by_hand:
            self._states.update(dict.fromkeys(changed & self.voxels.keys(), EDITED))
        return bool(changed)

    def begin(self, code: np.ndarray, where: Box) -> Iterator[None]:
        """Number the lesions of a scan for the first time, in steps, so that a user interface stays responsive.

        The result is that of `update`.

        Args:
            code: The codes, see `code_voxels`.
            where: Position of the array `code` on the grid.

        Yields:
            None, after each of several steps of about the same duration.
        """
        z, y, x = where
        for stop in [*range(_SLAB, len(code), _SLAB), len(code)]:
            self.follow(code[:stop], (slice(z.start, z.start + stop), y, x))
            yield
        table = self.renumber()
        for start in range(z.start, z.stop, _SLAB):
            slab = self.labels[start : min(start + _SLAB, z.stop), y, x]
            slab[:] = table[slab]
            yield
        self._forget(self.voxels)

    def adopt(self, marks: Sequence[Mark]) -> None:
        """Give lesions the numbers and states of marks, for example after loading a scene or after an undo.

        A lesion with several marks is divided among them. Marks outside all lesions are ignored.
        """
        places: dict[int, list[tuple[int, Point]]] = {}
        for mark in marks:
            for point in mark.points:
                inside = all(0 <= along < size for along, size in zip(point[:3], self.grid.shape, strict=True))
                number = int(self.labels[point[:3]]) if inside else 0
                if number:
                    places.setdefault(number, []).append((mark.number, point))
        self.next_number = max([self.next_number, *(mark.number + 1 for mark in marks)])
        self._rejoin(places)
        names: dict[int, int] = {}
        for number, here in places.items():
            if len({name for name, _ in here}) == 1:
                names[number] = here[0][0]
            else:
                self.changed.add(number)
                parts = self.divide_lesion(number, [point for _, point in here])
                names.update({part: name for part, (name, _) in zip(parts, here, strict=True)})
        taken = set(names.values())
        names |= {number: self._new_number() for number in self.voxels if number in taken and number not in names}
        self._forget(self.rename({old: new for old, new in names.items() if old != new}))
        self._states = {}
        for mark in marks:
            if mark.number in self.voxels:
                self._points[mark.number] = mark.points
                self._states[mark.number] = PROPOSED if mark.state == REJECTED else mark.state

    def _rejoin(self, marked: Container[int]) -> None:
        """Join parts that were split off and have no mark with the part that has one: the split was undone."""
        for pair in list(self._apart):
            without = [number for number in pair if number in self.voxels and number not in marked]
            rest = [number for number in pair if number in self.voxels and number in marked]
            if without and rest:
                self._forget(self.rename({without[0]: rest[0]}))

    # --- what a person decides ---

    def accept(self, numbers: Iterable[int]) -> None:
        """Mark lesions as accepted."""
        self._states.update(dict.fromkeys(numbers, ACCEPTED))

    def reject(self, numbers: Iterable[int]) -> None:
        """Mark lesions as rejected. They keep their voxels, which no longer count as infection."""
        for number in numbers:
            if self.state(number) != REJECTED:
                self.code[self.boxes[number]][self.mask(number)] += _REJECTED_CODE
                self._states.pop(number, None)

    def restore(self, numbers: Iterable[int]) -> None:
        """Take back the rejection of lesions. They are proposed again."""
        for number in numbers:
            if self.state(number) == REJECTED:
                self.code[self.boxes[number]][self.mask(number)] -= _REJECTED_CODE

    def merge(self, numbers: Collection[int]) -> int:
        """Make several lesions one. It keeps the number of the largest, which is returned.

        Raises:
            ValueError: The lesions are not in the same lung, or only some of them are rejected.
        """
        if len({int(self.code[self.points(number)[0][:3]]) for number in numbers}) != 1:
            raise ValueError("only lesions of the same lung can be merged, and not with rejected ones")
        largest = max(numbers, key=lambda number: (self.voxels[number], -number))
        self._forget(self.rename(dict.fromkeys(set(numbers) - {largest}, largest)))
        self._states[largest] = EDITED
        return largest

    def split(self, number: int, place: Sequence[int] | None = None) -> list[int]:
        """Split a lesion into its parts, at its neck, or at a chosen place. The largest part keeps the number.

        Args:
            number: The lesion.
            place: A voxel (z, y, x) in the middle of the part to split off; None for its parts or its neck.

        Returns:
            The numbers of all parts, the largest first.

        Raises:
            ValueError: The lesion has neither parts nor a neck, or the place is not in it or in its middle.
        """
        points: Sequence[Point] = self.points(number)
        if len(points) == 1 or place is not None:
            corner = [along.start for along in self.boxes[number]]
            mask = self.mask(number)
            if place is None:
                found = find_neck(mask, self.spacing)
            else:
                found = points_to_split_off(mask, self.spacing, [a - b for a, b in zip(place, corner, strict=True)])
            if found is None:
                raise ValueError("the lesion has no narrow place, or the place is not in one of its parts")
            points = [(z + corner[0], y + corner[1], x + corner[2], radius) for z, y, x, radius in found]
        state, following = self._states.get(number, PROPOSED), self.next_number
        parts = sorted(set(self.divide_lesion(number, points)), key=lambda part: -self.voxels[part])
        numbers = [number, *range(following, following + len(parts) - 1)]
        self._forget(self.rename(dict(zip(parts, numbers, strict=True))))
        self.next_number = following + len(parts) - 1
        self._states.update(dict.fromkeys(numbers, state))
        return numbers

    def _forget(self, numbers: Iterable[int]) -> None:
        """Note that lesions have changed, and forget the states of those that no longer exist."""
        self.changed |= set(numbers)
        for number in numbers:
            if number not in self.voxels:
                self._states.pop(number, None)
