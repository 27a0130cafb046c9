"""Lesions keep their identity: the rules, and many random edits compared with numbering everything again."""

import numpy as np
import pytest
from scipy import ndimage
from support.grids import ball, grid_of

from CovidSegLib.quantification.lesion_components import changed_box
from CovidSegLib.quantification.lesion_division import points_to_split_off
from CovidSegLib.quantification.lesion_tracking import (
    ACCEPTED,
    EDITED,
    PROPOSED,
    REJECTED,
    LesionTracker,
    Mark,
    code_voxels,
)

SHAPE = (12, 20, 40)
GRID = grid_of(SHAPE, (1.0, 1.0, 2.0), (0.0, 0.0, 0.0))
LUNGS = np.zeros(SHAPE, np.uint8)
LUNGS[:, :, :20], LUNGS[:, :, 20:38] = 1, 2


def boxes(*parts):
    """Return an infection mask that consists of boxes (z, y, x)."""
    mask = np.zeros(SHAPE, bool)
    for part in parts:
        mask[part] = True
    return mask


def tracked(infection, lungs=LUNGS):
    """Return a tracker of an infection mask as a model has predicted it."""
    tracker = LesionTracker(GRID)
    tracker.update(code_voxels(lungs, infection), by_hand=False)
    return tracker


def check(tracker):
    """Check the tables of a tracker against its labels."""
    assert np.array_equal(tracker.labels > 0, tracker.code > 0)
    found = ndimage.find_objects(tracker.labels)
    assert tracker.boxes == {number: box for number, box in enumerate(found, 1) if box is not None}
    voxels = np.bincount(tracker.labels.ravel())
    assert tracker.voxels == {number: voxels[number] for number in range(1, len(voxels)) if voxels[number]}
    for mark in tracker.marks():
        assert all(tracker.labels[point[:3]] == mark.number for point in mark.points)


BIG, SMALL = np.s_[2:8, 2:10, 2:10], np.s_[2:5, 14:18, 14:18]


def test_lesions_are_numbered_from_the_largest():
    tracker = tracked(boxes(SMALL, BIG, np.s_[4:6, 4:6, 30:32]))
    assert [tracker.voxels[number] for number in tracker.numbers()] == [384, 48, 8]
    assert [tracker.lung(number) for number in tracker.numbers()] == [1, 1, 2]
    assert {tracker.state(number) for number in tracker.numbers()} == {PROPOSED}
    check(tracker)


def test_a_lesion_ends_at_the_border_of_its_lung():
    """Right and left lung touch in these masks, and the infection extends beyond the left lung."""
    tracker = tracked(boxes(np.s_[4:6, 4:6, 16:40]))
    assert sorted((tracker.lung(number), tracker.voxels[number]) for number in tracker.numbers()) == [
        (0, 8),
        (1, 16),
        (2, 72),
    ]


def test_a_painted_lesion_is_new_and_edited():
    tracker = tracked(boxes(BIG))
    tracker.update(code_voxels(LUNGS, boxes(BIG, SMALL)))
    assert [tracker.state(number) for number in (1, 2)] == [PROPOSED, EDITED]
    assert tracker.changed == {1, 2}
    check(tracker)


def test_the_largest_part_of_a_lesion_that_falls_apart_keeps_the_number():
    tracker = tracked(boxes(BIG))
    cut = boxes(BIG)
    cut[:, :, 4] = False
    tracker.update(code_voxels(LUNGS, cut))
    assert tracker.voxels == {1: 240, 2: 96}
    assert tracker.labels[3, 3, 9] == 1
    check(tracker)


def test_lesions_that_grow_together_keep_the_number_of_the_larger():
    tracker = tracked(boxes(BIG, SMALL))
    tracker.update(code_voxels(LUNGS, boxes(BIG, SMALL, np.s_[3, 8:15, 8:15])))
    assert tracker.numbers() == [1]
    assert tracker.state(1) == EDITED
    check(tracker)
    tracker.update(code_voxels(LUNGS, boxes(BIG, SMALL)))
    assert tracker.numbers() == [1, 3], "the number 2 is not used again"


def test_a_threshold_that_moves_does_not_edit():
    tracker = tracked(boxes(BIG))
    tracker.accept([1])
    tracker.update(code_voxels(LUNGS, boxes(np.s_[2:7, 2:10, 2:10])), by_hand=False)
    assert tracker.state(1) == ACCEPTED
    tracker.update(code_voxels(LUNGS, boxes(BIG)))
    assert tracker.state(1) == EDITED


def test_reject_and_restore():
    tracker = tracked(boxes(BIG, SMALL))
    tracker.reject([2])
    assert [tracker.state(number) for number in (1, 2)] == [PROPOSED, REJECTED]
    code = code_voxels(LUNGS, boxes(BIG), boxes(SMALL))
    assert np.array_equal(tracker.code, code)
    assert not tracker.update(code), "the tracker knows already"
    tracker.restore([2])
    assert tracker.state(2) == PROPOSED
    assert np.array_equal(tracker.code, code_voxels(LUNGS, boxes(BIG, SMALL)))


def test_a_lesion_that_is_rejected_as_a_whole_elsewhere_keeps_its_number():
    """After an undo, for example."""
    tracker = tracked(boxes(BIG, SMALL))
    tracker.update(code_voxels(LUNGS, boxes(BIG), boxes(SMALL)))
    assert tracker.changed >= {2}
    assert tracker.voxels == {1: 384, 2: 48}
    assert tracker.state(2) == REJECTED
    check(tracker)


def test_rejected_voxels_that_are_painted_again_count():
    tracker = tracked(boxes(BIG, SMALL))
    tracker.reject([2])
    tracker.update(code_voxels(LUNGS, boxes(BIG, SMALL), boxes(SMALL)))
    assert [tracker.state(number) for number in tracker.numbers()] == [PROPOSED, EDITED]
    check(tracker)


def test_corrected_lungs_move_lesions_out_of_the_lung():
    tracker = tracked(boxes(BIG))
    lungs = LUNGS.copy()
    lungs[:, :, :5] = 0
    tracker.update(code_voxels(lungs, boxes(BIG)))
    assert {(tracker.lung(number), tracker.voxels[number]) for number in tracker.numbers()} == {(1, 240), (0, 144)}
    check(tracker)


# --- merge and split ---


def test_merged_lesions_are_one_and_stay_so():
    tracker = tracked(boxes(BIG, SMALL))
    assert tracker.merge([2, 1]) == 1
    assert tracker.voxels == {1: 432}
    assert len(tracker.marks()[0].points) == 2
    larger = boxes(BIG, SMALL, np.s_[8, 4, 4])
    tracker.update(code_voxels(LUNGS, larger))
    assert tracker.voxels == {1: 433}
    smaller = boxes(BIG, np.s_[2:4, 14:18, 14:18])
    tracker.update(code_voxels(LUNGS, smaller))
    assert tracker.voxels == {1: 416}
    check(tracker)
    assert [tracker.voxels[number] for number in tracker.split(1)] == [384, 32]
    check(tracker)


@pytest.mark.parametrize("numbers", [(1, 2), (1, 3)])
def test_what_cannot_be_merged(numbers):
    tracker = tracked(boxes(BIG, SMALL, np.s_[4:6, 4:6, 30:32]))
    tracker.reject([2])
    with pytest.raises(ValueError, match="same lung"):
        tracker.merge(numbers)


def dumbbell():
    """Return two balls that overlap, as a mask."""
    grid = grid_of((30, 40, 60), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    return ball(grid, (18, 20, 15), 11) | ball(grid, (36, 20, 15), 9), grid


def test_a_lesion_is_split_at_its_neck():
    mask, grid = dumbbell()
    tracker = LesionTracker(grid)
    code = code_voxels(np.ones(grid.shape, np.uint8), mask)
    tracker.update(code, by_hand=False)
    assert tracker.split(1) == [1, 2]
    x = np.nonzero(tracker.labels == 2)[2]
    assert abs(int(x.min()) - 28) <= 1, "the balls meet at 28.1"
    check(tracker)
    # They stay apart although they touch, also when they grow.
    mask[15, 32, 10:45] = mask[15, 26:32, 26:31] = True
    tracker.update(code_voxels(np.ones(grid.shape, np.uint8), mask))
    assert tracker.numbers() == [1, 2]
    assert tracker.labels[15, 32, 12] == 1
    assert tracker.labels[15, 32, 44] == 2
    check(tracker)
    assert tracker.merge([1, 2]) == 1


def test_the_border_of_lesions_that_touch_stays_where_it_is():
    """Also if both fall apart, and their points have moved since the border was drawn."""
    mask, grid = dumbbell()
    lungs = np.ones(grid.shape, np.uint8)
    tracker = LesionTracker(grid)
    tracker.update(code_voxels(lungs, mask), by_hand=False)
    tracker.split(1)
    mask[:, :, 33:] = False
    tracker.update(code_voxels(lungs, mask))
    before = {mark.number: mark.points for mark in tracker.marks()}
    assert before[2][0][2] < 33, "the point was erased, and there is another one"
    labels = tracker.labels.copy()
    mask[:, :, [10, 31]] = False
    tracker.update(code_voxels(lungs, mask))
    assert len(tracker.numbers()) == 4, "both ends have fallen off"
    np.testing.assert_array_equal(tracker.labels[:, :, 11:31], labels[:, :, 11:31])
    check(tracker)


def test_new_lesions_of_the_same_size_are_numbered_by_lung_and_place():
    tracker = tracked(boxes(BIG))
    places = [np.s_[1, y, x] for start in (12, 22) for y in (1, 13, 15, 17) for x in range(start, start + 8, 2)]
    tracker.update(code_voxels(LUNGS, boxes(BIG, *places)))
    assert [int(tracker.labels[place]) for place in places] == list(range(2, 2 + len(places)))


def test_a_lesion_without_a_neck_cannot_be_split():
    tracker = tracked(boxes(BIG))
    with pytest.raises(ValueError, match="narrow"):
        tracker.split(1)


# --- marks ---


def saved_and_loaded(tracker):
    """Return a tracker that knows a mask and the marks of another tracker."""
    loaded = LesionTracker(tracker.grid)
    loaded.update(tracker.code, by_hand=False)
    loaded.adopt(tracker.marks())
    return loaded


def test_marks_bring_everything_back():
    mask, grid = dumbbell()
    mask[2:4, 2:4, 2:4] = mask[25:28, 2:4, 2:4] = mask[25:28, 34:38, 2:4] = mask[2:4, 34:38, 2:4] = True
    tracker = LesionTracker(grid)
    tracker.update(code_voxels(np.ones(grid.shape, np.uint8), mask), by_hand=False)
    tracker.split(1)
    tracker.merge([2, 3])
    tracker.accept([1])
    tracker.reject([tracker.numbers()[-1]])
    loaded = saved_and_loaded(tracker)
    assert loaded.marks() == tracker.marks()
    assert np.array_equal(loaded.labels, tracker.labels)
    check(loaded)


def test_undo_brings_back_numbers_that_were_absorbed():
    tracker = tracked(boxes(BIG, SMALL))
    tracker.accept([2])
    marks, code = tracker.marks(), tracker.code.copy()
    tracker.update(code_voxels(LUNGS, boxes(BIG, SMALL, np.s_[3, 8:15, 8:15])))
    tracker.update(code)
    tracker.adopt(marks)
    assert tracker.marks() == marks
    check(tracker)


def test_marks_outside_all_lesions_are_ignored():
    tracker = tracked(boxes(BIG))
    tracker.adopt([Mark(7, ACCEPTED, ((0, 0, 0, 0.0), (99, 0, 0, 0.0)))])
    assert tracker.numbers() == [1]


def test_a_number_that_a_mark_needs_is_taken_from_another_lesion():
    tracker = tracked(boxes(BIG, SMALL))
    tracker.adopt([Mark(1, ACCEPTED, ((3, 15, 15, 0.0),))])
    assert tracker.labels[3, 15, 15] == 1
    assert tracker.voxels[1] == 48
    assert tracker.state(tracker.labels[3, 3, 3]) == PROPOSED
    check(tracker)


# --- many edits ---


@pytest.mark.parametrize("seed", range(40))
def test_random_edits(seed):
    """The lesions are always the components, and a lesion without changes keeps its number."""
    random = np.random.default_rng(seed)
    infection = ndimage.uniform_filter(random.random(SHAPE), 3) > 0.55
    rejected = np.zeros(SHAPE, bool)
    lungs = LUNGS.copy()
    tracker = tracked(infection)
    for _ in range(12):
        low = [int(random.integers(0, size)) for size in SHAPE]
        box = tuple(slice(start, start + int(random.integers(1, 9))) for start in low)
        kind = random.integers(0, 4)
        if kind == 0:
            infection[box] = True
        elif kind == 1:
            infection[box] = False
        elif kind == 2:
            infection[box] ^= random.random(infection[box].shape) > 0.7
        else:
            lungs[box] = random.integers(0, 3)
        before, code = tracker.labels.copy(), code_voxels(lungs, infection, rejected)
        tracker.changed.clear()
        tracker.update(code)
        check(tracker)
        for value in np.unique(code[code > 0]):
            parts, count = ndimage.label(code == value, np.ones((3, 3, 3)))
            pairs = {(part, number) for part, number in zip(parts.ravel(), tracker.labels.ravel(), strict=True) if part}
            numbers = {number for _, number in pairs}
            assert len(numbers) == len(pairs), "a lesion is in several components"
            assert len(pairs) == count or value > 4, "only lesions that were rejected one by one may touch"
        same = set(tracker.numbers()) - tracker.changed
        assert all(np.array_equal(before == number, tracker.labels == number) for number in same)
        loaded = saved_and_loaded(tracker)
        infected = code <= 4  # lesions that touch because both were rejected may be divided elsewhere
        assert np.array_equal(loaded.labels[infected], tracker.labels[infected])
        assert loaded.numbers() == tracker.numbers()
        if tracker.numbers() and random.random() < 0.5:
            number = int(random.choice(tracker.numbers()))
            if tracker.state(number) != REJECTED:
                mask = tracker.labels == number
                infection[mask], rejected[mask] = False, True
                tracker.reject([number])


def test_changed_box():
    before = np.zeros((4, 5, 6), np.uint8)
    assert changed_box(before, before) is None
    after = before.copy()
    after[3, 0, 5] = after[3, 2, 1] = 1
    assert changed_box(before, after) == (slice(3, 4), slice(0, 3), slice(1, 6))


def test_numbering_in_steps_gives_the_same():
    random = np.random.default_rng(0)
    shape = (60, 20, 40)
    grid = grid_of(shape, (1.0, 1.0, 2.0), (0.0, 0.0, 0.0))
    infection = ndimage.uniform_filter(random.random(shape), 5) > 0.51
    box = np.s_[2:58, 1:19, 3:39]
    lungs = np.zeros(shape, np.uint8)
    lungs[:, :, :20], lungs[:, :, 20:] = 1, 2
    code = code_voxels(lungs, infection)[box]
    at_once, in_steps = LesionTracker(grid), LesionTracker(grid)
    at_once.update(code, by_hand=False, where=box)
    assert len(list(in_steps.begin(code, box))) == 6
    check(in_steps)
    voxels = [in_steps.voxels[number] for number in in_steps.numbers()]
    assert voxels == sorted(at_once.voxels.values(), reverse=True)
    assert in_steps.changed == set(in_steps.numbers())
    pairs = set(zip(at_once.labels.ravel().tolist(), in_steps.labels.ravel().tolist(), strict=True))
    assert len(pairs) == len(voxels) + 1
    assert list(LesionTracker(grid).begin(np.zeros((1, 1, 1), np.uint8), (slice(0, 1),) * 3)) == [None, None]


def test_split_off_a_chosen_part():
    tracker = tracked(ball(GRID, (8.0, 10.0, 12.0), 6.0) & (LUNGS == 1))
    (number,) = tracker.numbers()
    mask, total = tracker.mask(number), tracker.voxels[number]
    edge = np.argwhere(mask)[0] + [part.start for part in tracker.boxes[number]]
    assert len(tracker.split(number, tuple(edge))) == 2
    check(tracker)
    assert sum(tracker.voxels.values()) == total
    assert all(tracker.voxels[part] > 0.05 * total for part in tracker.numbers())


@pytest.mark.parametrize("place", [(0, 0, 0), None], ids=["far away", "the middle"])
def test_a_place_that_splits_nothing(place):
    tracker = tracked(ball(GRID, (8.0, 10.0, 12.0), 5.0) & (LUNGS == 1))
    (number,) = tracker.numbers()
    far = place or tuple(points_to_split_off(tracker.mask(number), tracker.spacing, (0, 0, 0))[0][:3])
    if place is None:
        far = tuple(np.add(far, [part.start for part in tracker.boxes[number]]))
    with pytest.raises(ValueError, match="place"):
        tracker.split(number, far)
    assert tracker.numbers() == [number]


def test_marks_from_before_a_split_join_the_parts_again():
    tracker = tracked(ball(GRID, (8.0, 10.0, 12.0), 6.0) & (LUNGS == 1))
    before = tracker.marks()
    edge = np.argwhere(tracker.labels > 0)[0]
    tracker.split(before[0].number, tuple(edge))
    tracker.adopt(before)
    check(tracker)
    assert list(tracker.numbers()) == [before[0].number]
