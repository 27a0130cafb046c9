"""Edited masks against the model's, and the way back."""

import harness
import numpy as np
import pytest
import slicer

from CovidSegModule.logic.comparison import ComparisonLogic
from CovidSegModule.scene.review import Reviews
from CovidSegModule.scene.voxels import BoxArray, whole

SHAPE = (30, 48, 64)
VOXEL_ML = 2.9 * 3.1 * 5.3 / 1000


@pytest.fixture
def review():
    return Reviews().of(harness.make_result(harness.make_ct()))


@pytest.fixture
def logic(review):
    reviews = Reviews()
    reviews._reviews[review.segmentation.GetID()] = review
    return ComparisonLogic(reviews)


def full(review, name):
    mask = review.mask(name)
    return mask.full(SHAPE) if mask else np.zeros(SHAPE, bool)


def write(review, name, mask):
    review.write(name, BoxArray(mask, whole(SHAPE)))


def edit(review):
    """Add 2 voxels in each lung, remove 3, and change both lungs. Return the masks before."""
    before = {name: full(review, name) for name in ("right_lung", "left_lung", "infection")}
    infection = before["infection"].copy()
    infection[14, 30, 15:18] = False
    infection[15, 20, 24:26] = infection[15, 20, 46:48] = True
    write(review, "infection", infection)
    for name in ("right_lung", "left_lung"):
        lung = before[name].copy()
        lung[3:6] = False
        write(review, name, lung)
    return before


def test_nothing_was_edited(logic, review):
    comparison = logic.compare(review.segmentation)
    assert not comparison.is_edited
    assert comparison.dice == 1
    assert not logic.is_edited(review.segmentation)


def test_dice_and_volumes(logic, review):
    before = edit(review)
    comparison = logic.compare(review.segmentation)
    count, present = before["infection"].sum(), full(review, "infection").sum()
    assert comparison.added_ml == pytest.approx(4 * VOXEL_ML)
    assert comparison.removed_ml == pytest.approx(3 * VOXEL_ML)
    assert comparison.dice == pytest.approx(2 * (count - 3) / (count + present))
    removed = sum((before[name] & ~full(review, name)).sum() for name in ("right_lung", "left_lung"))
    assert comparison.lungs_changed_ml == pytest.approx(removed * VOXEL_ML)
    assert comparison.is_edited


def test_back_to_everything_is_one_step(logic, review):
    before = edit(review)
    edited = full(review, "infection")
    logic.restore(review.segmentation)
    for name, mask in before.items():
        np.testing.assert_array_equal(full(review, name), mask)
    review.editor.undo()
    np.testing.assert_array_equal(full(review, "infection"), edited)
    assert not full(review, "left_lung")[3:6].any()


def test_back_to_one_lung(logic, review):
    before = edit(review)
    left = full(review, "left_lung")
    logic.restore(review.segmentation, "right_lung")
    np.testing.assert_array_equal(full(review, "right_lung"), before["right_lung"])
    np.testing.assert_array_equal(full(review, "left_lung"), left)
    expected = before["infection"].copy()
    expected[15, 20, 46:48] = True
    np.testing.assert_array_equal(full(review, "infection"), expected)


def test_back_within_a_region(logic, review):
    """As for one lesion."""
    before = edit(review)
    region = np.zeros((1, 1, 8), bool)
    region[..., :] = True
    logic.restore_infection(review.segmentation, BoxArray(region, (slice(14, 15), slice(30, 31), slice(12, 20))))
    expected = full(review, "infection")
    assert expected[14, 30, 15:18].all()
    assert expected[15, 20, 24:26].all()
    assert before["infection"][14, 30, 15:18].all()
    review.editor.undo()
    assert not full(review, "infection")[14, 30, 15:18].any()


def test_everything_erased(logic, review):
    write(review, "infection", np.zeros(SHAPE, bool))
    assert logic.compare(review.segmentation).dice == 0
    logic.restore(review.segmentation)
    assert not logic.is_edited(review.segmentation)


def test_outline_of_the_model(logic, review):
    original = full(review, "infection")
    write(review, "infection", np.zeros(SHAPE, bool))
    logic.show_outline(review.segmentation, True)
    assert logic.is_outline_shown(review.segmentation)
    node = slicer.util.getNode("AI original")
    display = node.GetDisplayNode()
    segment = node.GetSegmentation().GetNthSegmentID(0)
    assert display.GetSegmentOpacity2DFill(segment) == 0
    shown = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment, review.ct)
    np.testing.assert_array_equal(shown != 0, original)
    logic.show_outline(review.segmentation, False)
    assert not logic.is_outline_shown(review.segmentation)


def test_a_result_without_the_masks_of_the_model(logic, review):
    slicer.mrmlScene.RemoveNode(review.original_node)
    assert logic.compare(review.segmentation) is None
    assert not logic.is_edited(review.segmentation)
    logic.restore(review.segmentation)
    logic.show_outline(review.segmentation, True)
    assert not logic.is_outline_shown(review.segmentation)
