"""Numbered lesions in an array, and how the numbers follow a change of the mask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np

from ..masks import Box, bounding_box, label_components
from ..volume import Grid
from .lesion_components import (
    changed_box,
    count_pairs,
    grown_box,
    label_codes,
    moved_box,
    moved_point,
    parts_around,
    union_of,
    values,
    whole_box,
)
from .lesion_division import Point, divide


class LesionLabels:
    """Number the components of an array of codes, and keep the numbers when codes change.

    A component is 26-connected and has the same code everywhere. See `lesion_tracking.LesionTracker` for the rules.

    Args:
        grid: Grid of the scan.

    Attributes:
        grid: Grid of the scan.
        labels: int32 (z, y, x): number of the lesion at each voxel, 0 for none.
        code: uint8 (z, y, x): the code at each voxel, 0 for none.
        boxes: Bounding box of each lesion, by number.
        voxels: Number of voxels of each lesion, by number.
        next_number: Number of the next new lesion.
    """

    def __init__(self, grid: Grid):
        self.grid = grid
        # np.zeros gets its memory from the system when it is written to. Most of it never is.
        self.labels = np.zeros(grid.shape, np.int32)
        self.code = np.zeros(grid.shape, np.uint8)
        self.boxes: dict[int, Box] = {}
        self.voxels: dict[int, int] = {}
        #: Points by which lesions are recognised, by number. More than one if the lesion was merged from several.
        self._points: dict[int, tuple[Point, ...]] = {}
        #: Pairs of lesions that touch and stay apart.
        self._apart: set[frozenset[int]] = set()
        self.next_number = 1

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Spacing in mm along (z, y, x)."""
        x, y, z = self.grid.spacing
        return z, y, x

    def mask(self, number: int) -> np.ndarray:
        """Return the boolean mask of a lesion within its box `boxes[number]`."""
        return self.labels[self.boxes[number]] == number

    def points(self, number: int) -> tuple[Point, ...]:
        """Return the points by which a lesion is recognised. They stay the same while the lesion contains them."""
        points = self._points.get(number, ())
        kept = tuple(point for point in points if self.labels[point[:3]] == number)
        if not kept:
            kept = (self._inside(number, self.mask(number)),)
        elif len(points) > 1:  # merged from several
            parts, count = label_components(self.mask(number))
            corner = [part.start for part in self.boxes[number]]
            marked = {int(parts[tuple(np.subtract(point[:3], corner))]) for point in kept}
            kept += tuple(self._inside(number, parts == part) for part in range(1, count + 1) if part not in marked)
        self._points[number] = kept
        return kept

    # --- when codes change ---

    def follow(self, code: np.ndarray, where: Box | None = None) -> set[int]:
        """Take over new codes, and number the lesions again where something has changed.

        Args:
            code: uint8 (z, y, x), the new codes. The array is copied.
            where: Position of the array `code` on the grid. All other codes become 0. By default, it is the whole grid.

        Returns:
            The numbers of all lesions whose voxels have changed, also of those that no longer exist.
        """
        where = where or whole_box(code.shape)
        if any(outside.any() for outside in parts_around(self.code, where)):
            whole = np.zeros(self.code.shape, np.uint8)
            whole[where] = code
            where, code = whole_box(whole.shape), whole
        inner = moved_box(changed_box(self.code[where], code), [along.start for along in where])
        if inner is None:
            return set()
        box = grown_box(inner, self.code.shape)
        before = self.code[box].copy()
        self.code[inner] = code[moved_box(inner, [-along.start for along in where])]
        different = self.code[box] != before
        kept = self._changed_as_a_whole(box, different)
        lost = values(self.labels[box][different])
        self.labels[box][different] = 0
        if not different.any():
            return kept
        joined = self._number_locally(box, lost)
        changed = lost | (self._number_again(box, lost) if joined is None else joined)
        changed |= values(self.labels[box][different])
        self._measure(changed, box)
        return changed | kept

    def _changed_as_a_whole(self, box: Box, different: np.ndarray) -> set[int]:
        """Return the lesions that have changed their code as a whole and touch no other. They keep their numbers.

        Args:
            box: A box that contains all changes.
            different: Which voxels in the box have changed. Those of the lesions that are returned are cleared.
        """
        labels, code = self.labels[box][different], self.code[box][different]
        numbers, counts = np.unique(labels, return_counts=True)
        candidates = [one for one, count in zip(numbers.tolist(), counts.tolist(), strict=True) if one]
        candidates = [one for one in candidates if self.voxels[one] == counts[numbers == one][0]]
        kept = {one for one in candidates if self._stands_alone(one, code[labels == one])}
        different[different] = ~np.isin(labels, list(kept))
        return kept

    def _stands_alone(self, number: int, code: np.ndarray) -> bool:
        """Return True if all voxels of a lesion have the same code, which no other voxel beside the lesion has."""
        from scipy import ndimage  # takes long to load, and Slicer imports this file when it starts

        if code[0] == 0 or (code != code[0]).any():
            return False
        box = grown_box(self.boxes[number], self.code.shape)
        mask = self.labels[box] == number
        beside = (self.code[box] == code[0]) & ~mask
        return not (beside & ndimage.binary_dilation(mask, np.ones((3, 3, 3), bool))).any()

    def _number_locally(self, box: Box, lost: set[int]) -> set[int] | None:
        """Number new voxels in a box, and join lesions that they connect.

        A lesion that is in one piece within the box is in one piece altogether, because the voxels in the margin of the
        box have not changed, and every connection through the box passes through the margin.

        Returns:
            The numbers of the lesions that were joined; or None, and nothing is done, if one may have fallen apart.
        """
        labels = self.labels[box]
        parts, count = label_codes(self.code[box])
        part, number, _ = count_pairs(parts, labels, count, self.next_number)
        pieces = np.bincount(number, minlength=self.next_number)
        if any(pieces[one] > 1 and len(self._points.get(one, ())) < 2 for one in lost):
            return None
        fresh = (parts > 0) & (labels == 0)
        sizes = np.bincount(parts[fresh], minlength=count + 1)
        numbers = np.zeros(count + 1, np.int32)
        numbers[part] = number
        for new in np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]:
            if numbers[new] == 0:
                numbers[new] = self._new_number()
        joined: dict[int, int] = {}

        def final(name: int) -> int:
            return final(joined[name]) if name in joined else name

        apart: dict[int, list[int]] = {}
        for one in np.flatnonzero((np.bincount(part, minlength=count + 1) > 1) & (sizes > 0)).tolist():
            group = sorted(
                {final(name) for name in number[part == one].tolist()}, key=lambda name: (-self.voxels[name], name)
            )
            numbers[one] = group[0]
            apart[one] = [name for name in group[1:] if frozenset((name, group[0])) in self._apart]
            joined |= {name: group[0] for name in group[1:] if name not in apart[one]}
        for name in joined:
            self._points.pop(name, None)
            joined[name] = final(name)
        involved = self.rename(joined)
        numbers = np.array([final(name) for name in numbers.tolist()], np.int32)
        labels[fresh] = numbers[parts[fresh]]
        for one, others in apart.items():
            if others:
                group = [int(numbers[one]), *(final(name) for name in others)]
                self._give_to_nearest(fresh & (parts == one), group, box)
        return involved

    def _number_again(self, box: Box, lost: set[int]) -> set[int]:
        """Number all lesions again that reach into a box. Return the numbers of those whose voxels have changed."""
        touched = lost | values(self.labels[box])
        region = union_of([box, *(self.boxes[number] for number in touched)])
        labels, code = self.labels[region], self.code[region]
        chosen = np.zeros(self.next_number, bool)
        chosen[[0, *touched]] = True  # voxels without a number are new
        parts, count = label_codes(np.where(chosen[labels], code, np.uint8(0)))
        groups = self._resolve(*count_pairs(parts, labels, count, self.next_number))
        sizes = np.bincount(parts.ravel(), minlength=count + 1)
        numbers = np.zeros(count + 1, np.int32)
        for part in sorted(range(1, count + 1), key=lambda part: -sizes[part]):
            numbers[part] = groups[part][0] if part in groups else self._new_number()
        after = numbers[parts]
        for part, group in groups.items():
            if len(group) > 1:
                mine = (parts == part) & np.isin(labels, group)
                after[mine] = labels[mine]
        moved = (after != labels) & (parts > 0)
        changed = values(labels[moved]) | values(after[moved])
        np.copyto(labels, after, where=parts > 0)
        for part, group in groups.items():
            if len(group) > 1:
                self._give_to_nearest(moved & (parts == part), group, region)
        self._measure(changed, region)
        return changed

    def _resolve(self, parts: np.ndarray, numbers: np.ndarray, overlaps: np.ndarray) -> dict[int, list[int]]:
        """Decide which lesions each component continues, from the overlaps of components and lesions.

        Returns:
            The numbers by component, the one that absorbs others first. More than one if the lesions stay apart.
        """
        heirs: dict[int, int] = {}
        claims: dict[int, list[int]] = {}
        for part, number in zip(parts.tolist(), numbers.tolist(), strict=True):
            claims.setdefault(part, []).append(number)
        overlap = dict(zip(zip(parts.tolist(), numbers.tolist(), strict=True), overlaps.tolist(), strict=True))
        for (part, number), size in overlap.items():
            if number not in heirs or size > overlap[heirs[number], number]:
                heirs[number] = part
        groups = {}
        for part, claimed in claims.items():
            able = [one for one in claimed if heirs[one] == part or len(self._points.get(one, ())) > 1]
            if able:
                winner = max(able, key=lambda one, part=part: overlap[part, one])  # type: ignore[misc]
                groups[part] = [winner, *(one for one in able if frozenset((one, winner)) in self._apart)]
        return groups

    def _give_to_nearest(self, mask: np.ndarray, group: list[int], region: Box) -> None:
        """Give each voxel of a mask in a region to the nearest lesion of a group."""
        corner = [along.start for along in region]
        points = [(number, moved_point(point, corner, -1)) for number in group for point in self._points[number]]
        nearest = divide(mask, [point for _, point in points], self.spacing)
        self.labels[region][mask] = np.array([number for number, _ in points], np.int32)[nearest]

    # --- numbers ---

    def renumber(self) -> np.ndarray:
        """Number all lesions from the largest to the smallest, except in `labels`.

        Returns:
            int32: the new number by the old one, with which the caller replaces the labels.
        """
        order = sorted(self.voxels, key=lambda old: (-self.voxels[old], [part.start for part in self.boxes[old]]))
        table = np.zeros(self.next_number, np.int32)
        table[order] = np.arange(1, len(order) + 1)
        self.boxes = {new: self.boxes[old] for new, old in enumerate(order, start=1)}
        self.voxels = {new: self.voxels[old] for new, old in enumerate(order, start=1)}
        self.next_number = len(order) + 1
        return table

    def rename(self, names: Mapping[int, int]) -> set[int]:
        """Give lesions other numbers, all at once. Lesions with the same new number become one.

        Returns:
            All numbers involved.
        """
        masks = {old: self.mask(old) for old in names}
        for old, new in names.items():
            self.labels[self.boxes[old]][masks[old]] = new
        involved = {*names, *names.values()}
        boxes = [self.boxes[number] for number in involved if number in self.boxes]
        points: dict[int, tuple[Point, ...]] = {}
        for number in involved & self._points.keys():
            points.setdefault(names.get(number, number), ())
            points[names.get(number, number)] += self._points.pop(number)
        self._points.update(points)
        pairs = (frozenset(names.get(number, number) for number in pair) for pair in self._apart)
        self._apart = {pair for pair in pairs if len(pair) == 2}
        self.next_number = max(self.next_number, *(number + 1 for number in involved)) if involved else self.next_number
        if boxes:
            self._measure(involved, union_of(boxes))
        return involved

    def divide_lesion(self, number: int, points: Sequence[Point]) -> list[int]:
        """Divide a lesion into its components, and each component among the points in it.

        Args:
            number: Number of the lesion.
            points: Points in the lesion.

        Returns:
            The new number at each point. Components without a point have new numbers, too.
        """
        box = self.boxes[number]
        corner = [part.start for part in box]
        parts, count = label_components(self.mask(number))
        at = [int(parts[tuple(np.subtract(point[:3], corner))]) for point in points]
        numbers = [0] * len(points)
        self._points.pop(number, None)
        for part in range(1, count + 1):
            here = [index for index, where in enumerate(at) if where == part]
            new = [self._new_number() for _ in here or [0]]
            mask = parts == part
            nearest = (
                divide(mask, [moved_point(points[index], corner, -1) for index in here], self.spacing) if here else 0
            )
            self.labels[box][mask] = np.array(new, np.int32)[nearest]
            for index, name in zip(here, new, strict=False):
                numbers[index] = name
                self._points[name] = (points[index],)
            self._apart |= {frozenset(pair) for pair in combinations(new, 2)}
            self._measure(new, box)
        self._measure([number], box)
        return numbers

    def _new_number(self) -> int:
        self.next_number += 1
        return self.next_number - 1

    def _measure(self, numbers: Iterable[int], region: Box) -> None:
        """Update box and number of voxels of lesions that lie within their old box and a region."""
        numbers = list(numbers)
        whole: dict[int, Box | None] = {}
        if len(numbers) > 8:  # one pass for all of them
            region = union_of([region, *(self.boxes[number] for number in numbers if number in self.boxes)])
            from scipy import ndimage  # takes long to load, and Slicer imports this file when it starts

            found = ndimage.find_objects(self.labels[region], max(numbers))
            corner = [along.start for along in region]
            whole = {number: moved_box(found[number - 1], corner) for number in numbers}
        for number in numbers:
            old = self.boxes.get(number)
            area = whole[number] if whole else union_of([region, old]) if old else region
            mask = self.labels[area] == number if area else np.zeros((1, 1, 1), bool)
            box = bounding_box(mask)
            if box is None:
                for table in (self.boxes, self.voxels, self._points):
                    table.pop(number, None)
                self._apart = {pair for pair in self._apart if number not in pair}
            else:
                assert area is not None
                moved = moved_box(box, [along.start for along in area])
                assert moved is not None
                self.boxes[number], self.voxels[number] = moved, int(np.count_nonzero(mask[box]))

    def _inside(self, number: int, mask: np.ndarray) -> Point:
        """Return the voxel of a mask, in the box of a lesion, that is nearest to its centre of gravity."""
        index = np.stack(np.nonzero(mask)).astype(np.float32)
        scaled = index * np.array(self.spacing, np.float32)[:, None]
        nearest = int(((scaled - scaled.mean(axis=1, dtype=float)[:, None]) ** 2).sum(axis=0).argmin())
        z, y, x = (int(along) + part.start for along, part in zip(index[:, nearest], self.boxes[number], strict=True))
        return z, y, x, 0.0
