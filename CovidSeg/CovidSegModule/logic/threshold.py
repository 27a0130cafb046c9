"""Logic of the section "threshold": cut the infection anew from the stored probabilities, and show where they are low.

What was painted or erased by hand stays as it is.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np
import slicer

from CovidSegLib.masks import CONNECTIVITY_26, Box, label_components
from CovidSegLib.quantification.doubt import Place, doubtful, doubtful_places_in_steps
from CovidSegLib.thresholding import SMALLEST_INFECTION_ML, ThresholdStack, level_of, without_small_pieces

from ..scene import overlays
from ..scene.provenance import ATTRIBUTES
from ..scene.review import THRESHOLD_ATTRIBUTE, Review, Reviews
from ..scene.segmentations import INFECTION, LUNGS
from ..scene.voxels import BoxArray, cropped, join, ras_of

#: Thresholds that can be chosen, in percent.
LOWEST_PERCENT, HIGHEST_PERCENT = 5, 95
#: Threshold of results that do not say theirs.
USUAL_THRESHOLD = 0.5
#: How far around erased lesions rims are looked for.
RIM_VOXELS = 12

_NOTHING = np.zeros(0, np.int64)


@dataclass(frozen=True)
class _Hand:
    """What was painted and erased by hand: flat indices in the box."""

    painted: np.ndarray = field(default_factory=lambda: _NOTHING)
    erased: np.ndarray = field(default_factory=lambda: _NOTHING)
    #: Threshold at which something was erased last.
    erased_at: float = 1.0


@dataclass
class _State:
    """One result.

    Attributes:
        review: The result.
        probability: Its probabilities.
        stack: Makes the mask at each level.
        threshold: The threshold of the present mask.
        box: Box of `expected` and of the indices in `hand`.
        expected: The infection as it was seen last. Differences are edits by hand.
        hand: These edits.
        seen: The known masks, by their checksum: after an undo, threshold and edits are those of the earlier mask.
        mask: The mask object of the review that `expected` was read from.
        jumps: `jumps` of the review at the last look.
        places: The doubtful places, once they were found.
        search: Finds them in steps.
        lung_masks: The mask objects of the lungs that `outside` was computed from.
        outside: Voxels with a probability outside these lungs, as flat indices in the box of the probability.
    """

    review: Review
    probability: BoxArray
    stack: ThresholdStack
    threshold: float
    box: Box
    expected: np.ndarray
    hand: _Hand
    seen: dict[int, tuple[float, _Hand]] = field(default_factory=dict)
    mask: BoxArray | None = None
    jumps: int = 0
    places: list[Place] | None = None
    search: Generator[bool, None, list[Place]] | None = None
    lung_masks: list[BoxArray | None] = field(default_factory=list)
    outside: np.ndarray | None = None


class ThresholdLogic:
    """Cut the infection of results at any threshold.

    Args:
        reviews: The results of the scene.
    """

    def __init__(self, reviews: Reviews):
        self._reviews = reviews
        self._state: _State | None = None

    def is_available(self, segmentation: slicer.vtkMRMLSegmentationNode) -> bool:
        """Return True if the scene has the probabilities of a result, and its CT."""
        return self._reviews.of(segmentation).probability() is not None

    def threshold(self, segmentation: slicer.vtkMRMLSegmentationNode) -> float:
        """Return the threshold of the present infection, from 0 to 1."""
        if self._state is not None and self._state.review.segmentation is segmentation:
            self._follow(self._state)
            return self._state.threshold
        stored = segmentation.GetAttribute(THRESHOLD_ATTRIBUTE)
        return float(stored) if stored else model_threshold(segmentation)

    def prepare(self, segmentation: slicer.vtkMRMLSegmentationNode) -> bool:
        """Do a piece of the work that makes `cut` and `places` fast, a few hundredths of a second.

        Returns:
            True if there is more to do.
        """
        state = self._of(segmentation)
        return state is not None and (state.stack.advance() or _search_on(state))

    def save_state(self, segmentation: slicer.vtkMRMLSegmentationNode) -> None:
        """Save the masks for undo. Call this before a series of calls of `cut`."""
        self._reviews.of(segmentation).save_state()

    def cut(self, segmentation: slicer.vtkMRMLSegmentationNode, threshold: float) -> None:
        """Cut the infection at a threshold.

        Args:
            segmentation: The result.
            threshold: A whole percentage from 0.05 to 0.95, or the threshold of the model.
        """
        state = self._of(segmentation)
        if state is None:
            return
        self._follow(state)
        mask = _within_lungs(state, state.stack.mask(level_of(threshold)))
        mask.ravel()[state.hand.erased] = False
        if state.hand.erased.size and threshold < state.hand.erased_at:
            _remove_rims(state, mask)
        mask.ravel()[state.hand.painted] = True
        state.review.write_infection(BoxArray(mask, state.box), undo=False)
        state.threshold, state.expected = threshold, mask
        state.mask = state.review.mask(INFECTION)
        segmentation.SetAttribute(THRESHOLD_ATTRIBUTE, f"{threshold:g}")

    def finish(self, segmentation: slicer.vtkMRMLSegmentationNode) -> None:
        """Remember the present mask. Call this after a series of calls of `cut`."""
        state = self._of(segmentation)
        if state is not None:
            self._remember(state)

    # --- doubt ---

    def show_doubt(self, segmentation: slicer.vtkMRMLSegmentationNode, visible: bool) -> None:
        """Show or hide where the probability is neither low nor high."""
        state = self._of(segmentation)
        if state is None or not visible:
            overlays.hide(segmentation, overlays.DOUBT)
        else:
            mask = BoxArray(doubtful(state.probability.array), state.probability.box)
            overlays.show(segmentation, overlays.DOUBT, mask, state.review.ct)

    def is_doubt_shown(self, segmentation: slicer.vtkMRMLSegmentationNode) -> bool:
        """Return True if the doubtful places are shown."""
        return overlays.is_shown(segmentation, overlays.DOUBT)

    def places(self, segmentation: slicer.vtkMRMLSegmentationNode) -> list[Place]:
        """Return the doubtful places, the largest first."""
        state = self._of(segmentation)
        if state is None:
            return []
        while _search_on(state):
            pass
        assert state.places is not None
        return state.places

    def position(self, segmentation: slicer.vtkMRMLSegmentationNode, place: Place) -> tuple[float, float, float]:
        """Return the position of a place in the world."""
        return ras_of(place.voxel, self._reviews.of(segmentation).ct)

    def forget(self) -> None:
        """Forget everything, for example because the scene is being closed."""
        self._state = None

    # --- hand edits ---

    def _of(self, segmentation: slicer.vtkMRMLSegmentationNode) -> _State | None:
        review = self._reviews.of(segmentation)
        if self._state is None or self._state.review is not review:
            self._state = _new_state(review)
            if self._state is not None:
                self._follow(self._state)
        return self._state

    def _follow(self, state: _State) -> None:
        """Find out what was edited by hand since the last look."""
        mask = state.review.mask(INFECTION)
        if mask is state.mask and (mask is not None or not state.expected.any()):
            return
        state.mask = mask
        _extend(state, mask)
        present = mask.crop(state.box) if mask else np.zeros_like(state.expected)
        changed = np.flatnonzero(present != state.expected)
        if not changed.size:
            return
        state.expected = present
        known = state.seen.get(_checksum(state))
        if known:
            state.threshold, state.hand = known
            state.review.segmentation.SetAttribute(THRESHOLD_ATTRIBUTE, f"{state.threshold:g}")
            return
        if state.jumps != state.review.jumps:
            _look_anew(state)
            self._remember(state)
            return
        painted, erased = (changed[present.ravel()[changed] == value] for value in (True, False))
        state.hand = _Hand(
            np.union1d(np.setdiff1d(state.hand.painted, erased, assume_unique=True), painted),
            np.union1d(np.setdiff1d(state.hand.erased, painted, assume_unique=True), erased),
            state.threshold if erased.size else state.hand.erased_at,
        )
        self._remember(state)

    def _remember(self, state: _State) -> None:
        state.seen[_checksum(state)] = state.threshold, state.hand


def _search_on(state: _State) -> bool:
    """Do a piece of the search for doubtful places. Return True if there is more to do."""
    if state.places is not None:
        return False
    if state.search is None:
        state.search = doubtful_places_in_steps(state.probability.array, state.review.grid.voxel_ml)
    try:
        return next(state.search)
    except StopIteration as end:
        start = np.array([part.start for part in state.probability.box])
        state.places = [Place(ml, tuple((start + voxel).tolist())) for ml, voxel in end.value]
        return False


def model_threshold(segmentation: slicer.vtkMRMLSegmentationNode) -> float:
    """Return the threshold that the model used for a result."""
    try:
        settings = json.loads(segmentation.GetAttribute(ATTRIBUTES[3]) or "{}").get("settings") or {}
        return float(settings.get("infection_threshold", USUAL_THRESHOLD))
    except (ValueError, TypeError, AttributeError):
        return USUAL_THRESHOLD


def _new_state(review: Review) -> _State | None:
    probability = review.probability()
    if probability is None:
        return None
    segmentation = review.segmentation
    stored = segmentation.GetAttribute(THRESHOLD_ATTRIBUTE)
    usual = model_threshold(segmentation)
    threshold = float(stored) if stored else usual
    levels = {level_of(percent / 100) for percent in range(LOWEST_PERCENT, HIGHEST_PERCENT + 1)}
    levels |= {level_of(usual), level_of(threshold)}
    stack = ThresholdStack(probability.array, levels, review.grid.voxel_ml, SMALLEST_INFECTION_ML)
    original = _model_mask(review, probability, usual)
    state = _State(review, probability, stack, usual, probability.box, original, _Hand(), jumps=review.jumps)
    state.seen[_checksum(state)] = usual, _Hand()  # back to the model's mask is no edit by hand
    if threshold != usual:
        state.threshold, state.expected = threshold, _cut_at_once(review, probability, threshold)
    state.seen[_checksum(state)] = threshold, _Hand()
    return state


def _model_mask(review: Review, probability: BoxArray, threshold: float) -> np.ndarray:
    """Return the infection as the model made it, in the box of the probability."""
    original = review.original(INFECTION)
    return _cut_at_once(review, probability, threshold) if original is None else original.crop(probability.box)


def _cut_at_once(review: Review, probability: BoxArray, threshold: float) -> np.ndarray:
    """Return the infection at one threshold, without the work for all the others."""
    mask = probability.array >= level_of(threshold)
    return without_small_pieces(mask, review.grid.voxel_ml, SMALLEST_INFECTION_ML)


def _extend(state: _State, mask: BoxArray | None) -> None:
    """Make the box of a state include a mask."""
    box = join(state.box, mask.box if mask else None) or state.box
    if box == state.box:
        return
    old = state.box

    def moved(indices: np.ndarray) -> np.ndarray:
        position = np.unravel_index(indices, [part.stop - part.start for part in old])
        shift = [index + a.start - b.start for index, a, b in zip(position, old, box, strict=True)]
        return np.ravel_multi_index(shift, [part.stop - part.start for part in box])

    state.expected = BoxArray(state.expected, old).crop(box)
    state.hand = _Hand(moved(state.hand.painted), moved(state.hand.erased), state.hand.erased_at)
    state.seen = {
        key: (threshold, _Hand(moved(hand.painted), moved(hand.erased), hand.erased_at))
        for key, (threshold, hand) in state.seen.items()
    }
    state.box = box


def _look_anew(state: _State) -> None:
    """Take what differs from the cut at the stored threshold for what was edited by hand."""
    stored = state.review.segmentation.GetAttribute(THRESHOLD_ATTRIBUTE)
    state.jumps = state.review.jumps
    state.threshold = float(stored) if stored else model_threshold(state.review.segmentation)
    cut = _within_lungs(state, _cut_at_once(state.review, state.probability, state.threshold))
    painted, erased = np.flatnonzero(state.expected & ~cut), np.flatnonzero(cut & ~state.expected)
    state.hand = _Hand(painted, erased, state.threshold if erased.size else 1.0)


def _within_lungs(state: _State, cut: np.ndarray) -> np.ndarray:
    """Return a cut without what lies outside the present lungs, in the box of a state. `cut` is changed in place."""
    cut.ravel()[_outside_lungs(state)] = False
    return BoxArray(cut, state.probability.box).crop(state.box)


def _outside_lungs(state: _State) -> np.ndarray:
    """Return the voxels with a probability that are not in the present lungs, as flat indices in their box."""
    masks = [state.review.mask(name) for name in LUNGS]
    if state.outside is None or any(a is not b for a, b in zip(masks, state.lung_masks, strict=True)):
        lungs = np.zeros(state.probability.array.shape, bool)
        for mask in masks:
            if mask is not None:
                lungs |= mask.crop(state.probability.box)
        state.lung_masks, state.outside = masks, np.flatnonzero((state.probability.array > 0) & ~lungs)
    return state.outside


def _remove_rims(state: _State, mask: np.ndarray) -> None:
    """Remove from a mask what a lower threshold adds around lesions that were erased, and nothing else.

    These pieces touch erased voxels, and no voxel of them was infected at the threshold at which these were erased.
    """
    from scipy import ndimage  # slow to import, and rarely needed

    erased = np.zeros(mask.shape, bool)
    erased.ravel()[state.hand.erased] = True
    probability = state.probability.crop(state.box)
    labels, _ = label_components(erased)
    for part in ndimage.find_objects(labels):
        around = tuple(
            slice(max(piece.start - RIM_VOXELS, 0), min(piece.stop + RIM_VOXELS, size))
            for piece, size in zip(part, mask.shape, strict=True)
        )
        pieces, count = label_components(mask[around])
        if not count:
            continue
        rim = np.zeros(count + 1, bool)
        rim[pieces[ndimage.binary_dilation(erased[around], CONNECTIVITY_26)]] = True
        rim[pieces[probability[around] >= level_of(state.hand.erased_at)]] = False
        rim[0] = False
        mask[around] &= ~rim[pieces]


def _checksum(state: _State) -> int:
    """Return a checksum of the present mask that does not depend on the box."""
    tight = cropped(state.expected)
    start = [a.start + b.start for a, b in zip(tight.box, state.box, strict=True)]
    return zlib.crc32(np.packbits(tight.array).tobytes(), zlib.crc32(repr((start, tight.array.shape)).encode()))
