"""Logic of the section "lesions": follow them through edits, and accept, reject, merge and split them."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator

import numpy as np
import slicer
from slicer.i18n import tr as _

from CovidSegLib.masks import Box
from CovidSegLib.quantification.lesion_measures import Lesion, LesionMeasures, Surroundings
from CovidSegLib.quantification.lesion_tracking import (
    PROPOSED,
    REJECTED,
    LesionTracker,
    Mark,
    code_voxels,
)
from CovidSegLib.quantification.lesions import is_lesion
from CovidSegLib.quantification.live import LOBES
from CovidSegLib.quantification.zones import heights, zone_limits
from CovidSegLib.segmentation import LEFT_LUNG, RIGHT_LUNG

from ..process.background import Background
from ..scene import lesions as nodes
from ..scene.edit_history import EditHistory
from ..scene.lobes import lobe_labels, lobes_key
from ..scene.review import SMALLEST_BOX, Review, Reviews
from ..scene.segmentations import INFECTION, LUNGS
from ..scene.voxels import BoxArray, join, ras_of, voxel_at

_DONE = object()
#: Time in seconds after which work on lesions is interrupted.
_PAUSE = 0.05


class DecisionError(ValueError):
    """A decision that is not possible. The message is for the user."""


class LesionReview:
    """The lesions of one result. Get it from `LesionsLogic.of`.

    Args:
        review: The masks of the result.

    Attributes:
        review: The masks of the result.
        history: Edits and decisions that can be undone.
        tracker: Follows the lesions.
    """

    def __init__(self, review: Review):
        self.review = review
        self.history = EditHistory(review)
        self.tracker = LesionTracker(review.grid)
        self._measures = LesionMeasures(self.tracker)
        self._surroundings: Surroundings | None = None
        self._version = self._work_version = -1
        self._work: Iterator[None] | None = None
        #: Numbers lesions again in a thread. Nothing else may use the tracker before it is done.
        self._update: Background[bool] | None = None
        self._lobes: tuple[int, ...] = ()
        self._tag: str | None = None
        self._returns = 0
        self._marks: list[Mark] = []

    def lesions(self) -> list[Lesion]:
        """Return the lesions as they are now, by number. Only what has changed is computed again."""
        self._follow()
        assert self._surroundings is not None
        return self._measures.lesions(self._surroundings)

    def has(self, numbers: Collection[int]) -> bool:
        """Return whether there still are lesions with all of these numbers. A table may show what there was before."""
        self._follow()
        return all(number in self.tracker.voxels for number in numbers)

    # --- decisions: each can be undone ---

    def accept(self, numbers: Collection[int]) -> None:
        """Accept lesions. Rejected ones become infection again."""
        rejected = self._in_state(numbers, rejected=True)
        self._begin()
        self._restore(rejected)
        self.tracker.accept(numbers)
        self._store()

    def reject(self, numbers: Collection[int]) -> None:
        """Reject lesions. They are no longer part of the infection, and of no number."""
        numbers = self._in_state(numbers, rejected=False)
        if not numbers:
            return
        self._begin()
        self.tracker.reject(numbers)
        self._write(numbers, rejected=True)
        self._store()

    def restore(self, numbers: Collection[int]) -> None:
        """Take back the rejection of lesions. They are proposed again."""
        numbers = self._in_state(numbers, rejected=True)
        if numbers:
            self._begin()
            self._restore(numbers)
            self._store()

    def reject_smaller(self, ml: float) -> int:
        """Reject all proposed lesions below a volume, also those that are too small to be listed. Return how many."""
        self._follow()
        tracker, limit = self.tracker, ml / self.tracker.grid.voxel_ml
        small = [number for number in tracker.numbers() if tracker.voxels[number] < limit * (1 - 1e-9)]
        small = [number for number in small if tracker.state(number) == PROPOSED]
        self.reject(small)
        return len(small)

    def merge(self, numbers: Collection[int]) -> int:
        """Make several lesions one, and return its number.

        Raises:
            DecisionError: The lesions are in different lungs, or some are rejected.
        """
        self._follow()
        if len({self.tracker.code[self.tracker.points(number)[0][:3]] for number in numbers}) != 1:
            raise DecisionError(
                _("Only lesions of the same lung can be merged, and not with rejected ones. Select other lesions.")
            )
        number = self.tracker.merge(numbers)
        self.review.save_state()
        self._store()
        return number

    def split(self, number: int) -> list[int]:
        """Split a lesion into the parts that were merged, or at its neck, and return the numbers of the parts.

        Raises:
            DecisionError: The lesion has no neck.
        """
        self._follow()
        try:
            numbers = self.tracker.split(number)
        except ValueError:
            raise DecisionError(
                _(
                    "Lesion {n} has no narrow place to split it at. Move the slice views to the middle of the part "
                    "that you want to split off, and press Shift+S."
                ).format(n=number)
            ) from None
        self.review.save_state()
        self._store()
        return numbers

    def split_at_views(self, number: int) -> list[int]:
        """Split off the part of a lesion in whose middle the slice views meet, and return the numbers of both parts.

        Raises:
            DecisionError: The views meet outside the lesion, or in the middle of its main part.
        """
        self._follow()
        position, ct = nodes.views_meet(), self.review.ct
        elsewhere = DecisionError(
            _(
                "The slice views do not meet in a part of lesion {n} that can be split off. Move them to the middle of "
                "that part: hold Shift and move the mouse."
            ).format(n=number)
        )
        if position is None or ct is None:
            raise elsewhere
        try:
            numbers = self.tracker.split(number, voxel_at(position, ct))
        except ValueError:
            raise elsewhere from None
        self.review.save_state()
        self._store()
        return numbers

    def undo(self) -> None:
        """Undo the last decision or edit, also one from before the scene was saved and loaded.

        Lesions are numbered again afterwards, in `prepare`, because this takes seconds after a large edit.
        """
        self.history.undo()

    def redo(self) -> None:
        """Undo the last undo."""
        self.history.redo()

    # --- views ---

    def show(self, number: int) -> None:
        """Centre all views on a lesion, and outline it."""
        self._follow()
        ct = self.review.ct
        if ct is None or number not in self.tracker.voxels:
            return
        nodes.show_outline(BoxArray(self.tracker.mask(number), self.tracker.boxes[number]), ct)
        nodes.centre_views(ras_of(self.tracker.points(number)[0][:3], ct))

    # --- how ---

    def prepare(self) -> bool:
        """Do a piece of the work that `lesions` needs, some hundredths of a second. Return True if there is more."""
        if self._is_current():
            return False
        if self._work is None or self._work_version != self.review.version:
            self._work, self._work_version = self._steps(), self.review.version
        return next(self._work, _DONE) is not _DONE

    def _is_current(self) -> bool:
        return self._version == self.review.version and self._lobes == lobes_key()

    def _follow(self) -> None:
        """Take over changes of the masks and of the stored numbers and states."""
        while self.prepare():
            pass

    def _steps(self) -> Iterator[None]:
        yield from self._wait()  # the masks have changed again
        review, version, lobes = self.review, self.review.version, lobes_key()
        by_hand = self._tag is not None and version > review.written
        masks = {}
        for name in (*LUNGS, INFECTION, nodes.REJECTED_SEGMENT):
            masks[name] = review.mask(name)
            yield
        box = join(*(mask.box for mask in masks.values() if mask)) or SMALLEST_BOX
        right, left, infection, rejected = (
            mask.crop(box) if mask else np.zeros(_shape(box), np.bool_) for mask in masks.values()
        )
        lungs = np.where(left, np.uint8(LEFT_LUNG), np.uint8(RIGHT_LUNG) * right)  # the left lung where both overlap
        yield
        code = code_voxels(lungs, infection, rejected)
        yield
        limits = zone_limits(lungs, heights(review.grid, box))
        if self._tag is None:
            yield
            self.tracker = LesionTracker(review.grid)
            self._measures = LesionMeasures(self.tracker)
            yield from self.tracker.begin(code, box)
        else:
            tracker = self.tracker
            self._update = Background(lambda: tracker.update(code, by_hand, box))
            yield from self._wait()
        self._surround(limits, lobes, box)
        assert self._surroundings is not None
        pause = time.perf_counter() + _PAUSE
        for _number in self._measures.steps(self._surroundings):
            if time.perf_counter() > pause:
                yield
                pause = time.perf_counter() + _PAUSE
        self._version = version
        self.history.note()
        returned, self._returns = self._returns != self.history.returns, self.history.returns
        tag, marks, next_number = nodes.read_marks(review.segmentation)
        if tag and (returned or tag != self._tag):  # after undo or redo, and after loading a scene
            self.tracker.next_number = max(self.tracker.next_number, next_number)
            self.tracker.adopt(marks)
            self._tag, self._marks = tag, marks
            self.history.note()
        else:
            self._store()

    def wait(self) -> None:
        """Wait for the thread that numbers lesions again."""
        for _step in self._wait():
            pass

    def _wait(self) -> Iterator[None]:
        """Wait in steps until the thread is done."""
        while self._update is not None and not self._update.wait(_PAUSE):
            yield
        if self._update is not None:
            update, self._update = self._update, None
            update.result()

    def _surround(self, limits: np.ndarray, lobes: tuple[int, ...], box: Box) -> None:
        """Note on what lesions are measured, if it has changed."""
        known = self._surroundings
        if known and self._lobes == lobes and np.array_equal(known.zone_limits, limits, equal_nan=True):
            return
        self._lobes = lobes
        hu, probability, labels = self.review.hu(), self.review.probability(), None
        found = lobe_labels(self.review.ct, box) if lobes else None
        if found is not None:
            labels = np.zeros(hu.shape, np.uint8)
            labels[box] = found
        self._surroundings = Surroundings(
            hu,
            limits,
            probability.array if probability else None,
            probability.box if probability else None,
            labels,
            dict(enumerate(LOBES, start=1)),
        )

    def _begin(self) -> None:
        """Prepare a decision."""
        self._follow()
        self.review.save_state()

    def _store(self) -> None:
        """Store numbers and states in the scene. Nothing is written if they are stored already."""
        tracker = self.tracker
        listed = {number for number in tracker.numbers() if is_lesion(tracker.voxels[number] * tracker.grid.voxel_ml)}
        kept = [number for number in tracker.numbers() if number in listed or tracker.state(number) != PROPOSED]
        marks = tracker.marks(kept)
        # Writing when nothing has changed would make redo impossible after an undo.
        if marks != self._marks or self._tag is None:
            self._marks, self._tag = marks, nodes.marks_as_tag(marks, tracker.next_number)
            nodes.write_tag(self.review.segmentation, self._tag)
        self._version = self.review.version
        self.history.note()

    def _in_state(self, numbers: Collection[int], rejected: bool) -> list[int]:
        self._follow()
        return [number for number in numbers if (self.tracker.state(number) == REJECTED) is rejected]

    def _restore(self, numbers: Collection[int]) -> None:
        self.tracker.restore(numbers)
        if numbers:
            self._write(numbers, rejected=False)

    def _write(self, numbers: Collection[int], rejected: bool) -> None:
        """Move the voxels of lesions from the infection to the rejected ones, or back."""
        review, tracker = self.review, self.tracker
        box = join(*(tracker.boxes[number] for number in numbers))
        assert box is not None
        moved = np.zeros(_shape(box), bool)
        for number in numbers:
            part = tuple(
                slice(a.start - b.start, a.stop - b.start) for a, b in zip(tracker.boxes[number], box, strict=True)
            )
            moved[part] |= tracker.mask(number)
        infection = _changed(review.mask(INFECTION), BoxArray(moved, box), grows=not rejected)
        nodes.write_rejected(
            review, _changed(review.mask(nodes.REJECTED_SEGMENT), BoxArray(moved, box), grows=rejected)
        )
        review.write_infection(infection, undo=False)


def _shape(box: Box) -> list[int]:
    return [part.stop - part.start for part in box]


def _changed(mask: BoxArray | None, moved: BoxArray, grows: bool) -> BoxArray:
    """Return a mask with voxels added to it or removed from it."""
    box = join(mask.box if mask else None, moved.box)
    assert box is not None
    before, by = mask.crop(box) if mask else np.zeros(_shape(box), np.bool_), moved.crop(box)
    return BoxArray(before | by if grows else before & ~by, box)


class LesionsLogic:
    """Keeps the lesions of each result.

    Args:
        reviews: The masks of the results, which sections share.
    """

    def __init__(self, reviews: Reviews):
        self._reviews = reviews
        self._kept: dict[str, LesionReview] = {}

    def of(self, segmentation: slicer.vtkMRMLSegmentationNode | None) -> LesionReview | None:
        """Return the lesions of a result, or None if it is no result or its CT is gone."""
        if segmentation is None or segmentation.GetSegmentation().GetSegment(INFECTION) is None:
            return None
        review = self._reviews.of(segmentation)
        if review.ct is None or review.ct.GetImageData() is None:
            return None
        kept = self._kept.get(segmentation.GetID())
        if kept is None or kept.review is not review or kept.tracker.grid != review.grid:
            kept = self._kept[segmentation.GetID()] = LesionReview(review)
        return kept

    def forget(self, segmentation: slicer.vtkMRMLSegmentationNode) -> None:
        """Forget the lesions of a result, because it is about to be removed."""
        self._kept.pop(segmentation.GetID(), None)

    def clear(self) -> None:
        """Forget all results, because the scene is being closed. Wait for threads: Slicer may be about to quit."""
        for lesions in self._kept.values():
            lesions.wait()
        self._kept.clear()

    def hide_outline(self) -> None:
        """Remove the outline of a lesion from the views."""
        nodes.hide_outline()
