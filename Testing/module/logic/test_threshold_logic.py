"""Cutting the infection anew: the pipeline's rule, and edits by hand that stay."""

import harness
import numpy as np
import pytest
import slicer

from CovidSegLib.thresholding import SMALLEST_INFECTION_ML, level_of, without_small_pieces
from CovidSegModule.logic.threshold import ThresholdLogic
from CovidSegModule.scene.review import Reviews
from CovidSegModule.scene.voxels import BoxArray, whole

SHAPE = (30, 48, 64)
#: A voxel in the infection, one around it, one in healthy lung.
INFECTED, NEAR, HEALTHY = (14, 30, 17), (14, 30, 23), (15, 20, 24)  # 200, 60 and 0 of 255


@pytest.fixture
def reviews():
    return Reviews()


@pytest.fixture
def logic(reviews):
    return ThresholdLogic(reviews)


@pytest.fixture
def result():
    return harness.make_result(harness.make_ct())


def infection(reviews, result):
    mask = reviews.of(result).mask("infection")
    return mask.full(SHAPE) if mask else np.zeros(SHAPE, bool)


def paint(reviews, result, voxel, value):
    mask = infection(reviews, result)
    mask[voxel] = value
    reviews.of(result).write_infection(BoxArray(mask, whole(SHAPE)))


@pytest.mark.parametrize("percent", [5, 20, 30, 50, 80, 95])
def test_the_mask_is_that_of_the_pipeline(logic, reviews, result, percent):
    logic.cut(result, percent / 100)
    review = reviews.of(result)
    expected = review.probability().full(SHAPE) >= level_of(percent / 100)
    expected = without_small_pieces(expected, review.grid.voxel_ml, SMALLEST_INFECTION_ML)
    np.testing.assert_array_equal(infection(reviews, result), expected)
    assert logic.threshold(result) == percent / 100


def test_the_threshold_of_the_model_gives_the_mask_of_the_model(logic, reviews, result):
    original = infection(reviews, result)
    logic.cut(result, 0.3)
    assert infection(reviews, result).sum() > original.sum()
    logic.cut(result, 0.5)
    np.testing.assert_array_equal(infection(reviews, result), original)


def test_what_was_painted_and_erased_stays(logic, reviews, result):
    paint(reviews, result, HEALTHY, True)
    paint(reviews, result, INFECTED, False)
    for percent in (30, 20, 90, 50):
        logic.cut(result, percent / 100)
        mask = infection(reviews, result)
        assert mask[HEALTHY]
        assert not mask[INFECTED]
        assert mask[NEAR] == (percent < 24)


def test_painting_what_a_low_threshold_covers_anyway(logic, reviews, result):
    """Painted at 50 %, covered by the model at 20 %, and still painted at 50 % again."""
    paint(reviews, result, NEAR, True)
    logic.cut(result, 0.2)
    logic.cut(result, 0.5)
    assert infection(reviews, result)[NEAR]


def test_painting_after_erasing_is_the_last_word(logic, reviews, result):
    paint(reviews, result, INFECTED, False)
    paint(reviews, result, HEALTHY, True)
    logic.cut(result, 0.4)
    paint(reviews, result, INFECTED, True)
    logic.cut(result, 0.95)
    assert infection(reviews, result)[INFECTED]


def test_a_lesion_that_was_erased_does_not_come_back_as_a_rim(logic, reviews):
    array = harness.painted()
    array[10:13, 20:23, 45:48] = -500
    result = harness.make_result(harness.make_ct(array=array))
    logic.threshold(result)
    mask = infection(reviews, result)
    mask[:, :, 40:] = False
    reviews.of(result).write_infection(BoxArray(mask, whole(SHAPE)))
    logic.cut(result, 0.2)
    lowered = infection(reviews, result)
    assert not lowered[:, :, 40:].any()
    assert lowered.sum() > mask.sum(), "the other lesion grows"
    logic.cut(result, 0.5)
    np.testing.assert_array_equal(infection(reviews, result), mask)


def test_painting_outside_the_lungs_stays(logic, reviews, result):
    logic.cut(result, 0.4)
    paint(reviews, result, (0, 0, 0), True)
    logic.cut(result, 0.2)
    logic.cut(result, 0.5)
    mask = infection(reviews, result)
    assert mask[0, 0, 0]
    np.testing.assert_array_equal(mask.ravel()[1:], (harness.painted() == -500).ravel()[1:])


def test_undo_takes_the_threshold_back_and_nothing_counts_as_painted(logic, reviews, result):
    logic.save_state(result)
    logic.cut(result, 0.3)
    logic.cut(result, 0.2)
    logic.finish(result)
    reviews.of(result).editor.undo()
    assert logic.threshold(result) == 0.5
    np.testing.assert_array_equal(infection(reviews, result), harness.painted() == -500)
    reviews.of(result).editor.redo()
    assert logic.threshold(result) == 0.2
    logic.cut(result, 0.9)
    assert not infection(reviews, result).any()


def test_infection_stays_within_edited_lungs(logic, reviews, result):
    review = reviews.of(result)
    lung = review.mask("right_lung").full(SHAPE)
    lung[:, :, 17:] = False
    review.write("right_lung", BoxArray(lung, whole(SHAPE)))
    logic.cut(result, 0.2)
    assert not infection(reviews, result)[:, :, 17:].any()
    assert infection(reviews, result)[:, :, :17].any()


def test_the_threshold_and_edits_survive_saving_and_loading(logic, reviews, result, tmp_path):
    paint(reviews, result, HEALTHY, True)
    logic.cut(result, 0.3)
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(False)
    assert slicer.mrmlScene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    result, reviews = slicer.util.getNode("CT infection"), Reviews()
    logic = ThresholdLogic(reviews)
    assert logic.threshold(result) == 0.3
    logic.cut(result, 0.5)
    mask = infection(reviews, result)
    assert mask[HEALTHY]
    mask[HEALTHY] = False
    np.testing.assert_array_equal(mask, harness.painted() == -500)


def test_two_results_in_turn(logic, reviews, result):
    other = harness.make_result(harness.make_ct("another"))
    logic.cut(result, 0.2)
    logic.cut(other, 0.9)
    assert logic.threshold(result) == 0.2
    assert logic.threshold(other) == 0.9


def test_the_doubtful_places(logic, reviews, result):
    places = logic.places(result)
    probability = reviews.of(result).probability().full(SHAPE)
    assert places
    assert [place.volume_ml for place in places] == sorted((place.volume_ml for place in places), reverse=True)
    assert all(51 <= probability[place.voxel] <= 204 for place in places)
    # 200 is below 204: the whole infection of the test is doubtful, with what surrounds it.
    total = ((probability >= 51) & (probability <= 204)).sum() * reviews.of(result).grid.voxel_ml
    assert sum(place.volume_ml for place in places) == pytest.approx(total)


def test_the_position_of_a_place_follows_the_transform_of_the_ct(logic, result):
    ct = slicer.util.getNode("CT")
    place = logic.places(result)[0]
    before = np.array(logic.position(result, place))
    transform = harness.make_transform()
    ct.SetAndObserveTransformNodeID(transform.GetID())
    matrix = slicer.util.arrayFromTransformMatrix(transform)
    np.testing.assert_allclose(logic.position(result, place), (matrix @ [*before, 1])[:3], atol=1e-9)


def test_the_overlay_is_neither_listed_nor_saved(logic, result, tmp_path):
    logic.show_doubt(result, True)
    assert logic.is_doubt_shown(result)
    node = slicer.util.getNode("Doubtful")
    assert node.GetHideFromEditors()
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(False)
    assert slicer.mrmlScene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    assert slicer.mrmlScene.GetFirstNodeByName("Doubtful") is None
    assert not logic.is_doubt_shown(slicer.util.getNode("CT infection"))


def test_a_result_without_probabilities(logic, reviews, result):
    slicer.mrmlScene.RemoveNode(reviews.of(result).probability_node)
    assert not logic.is_available(result)
    logic.cut(result, 0.2)
    np.testing.assert_array_equal(infection(reviews, result), harness.painted() == -500)
    assert logic.places(result) == []
    assert not logic.prepare(result)
