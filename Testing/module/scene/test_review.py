"""What a result is in the scene, and reading and changing its masks."""

import harness
import numpy as np
import pytest
import slicer

from CovidSegModule.scene.review import Review, Reviews
from CovidSegModule.scene.volumes import likely_ct
from CovidSegModule.scene.voxels import BoxArray, join, labelmap_of, whole

SHAPE = (30, 48, 64)


@pytest.fixture
def result():
    return harness.make_result(harness.make_ct())


@pytest.fixture
def review(result):
    return Reviews().of(result)


def full(part):
    return np.zeros(SHAPE, bool) if part is None else part.full(SHAPE)


def expected():
    painted = harness.painted()
    return {
        "right_lung": (painted == -850) | (painted == -500),
        "left_lung": painted == -851,
        "infection": painted == -500,
    }


def assert_masks(read):
    for name, mask in expected().items():
        np.testing.assert_array_equal(full(read(name)), mask, err_msg=name)


def test_a_run_leaves_the_same_nodes_as_the_helper_of_these_tests():
    review = Review(harness.segment_ct(harness.make_ct()).segmentation)
    test_a_result_has_probability_and_original_beside_it(review)


def test_a_result_has_probability_and_original_beside_it(review):
    assert_masks(review.mask)
    assert_masks(review.original)
    probability = review.probability().full(SHAPE)
    assert set(np.unique(probability)) == {0, 60, 100, 200}
    np.testing.assert_array_equal(probability == 200, expected()["infection"])
    assert review.probability_node.GetName() == "CT infection probability"
    assert review.original_node.GetName() == "CT infection AI original"
    assert likely_ct().GetName() == "CT"


def test_nodes_have_the_roles_that_scenes_use(result):
    """Written out, so that a renamed constant does not go unnoticed."""
    probability = result.GetNodeReference("CovidSeg.Probability")
    original = result.GetNodeReference("CovidSeg.Original")
    assert probability.GetAttribute("CovidSeg.Role") == "probability"
    assert original.GetAttribute("CovidSeg.Role") == "AI original"
    assert original.GetClassName() == "vtkMRMLLabelMapVolumeNode"
    # Slicer's dialog "Save" skips nodes that are hidden from editors.
    assert not probability.GetHideFromEditors()
    assert not original.GetHideFromEditors()


@pytest.mark.parametrize("moved", [False, True], ids=["untransformed", "under a transform"])
def test_everything_survives_saving_and_loading(tmp_path, moved):
    ct = harness.make_ct()
    if moved:
        ct.SetAndObserveTransformNodeID(harness.make_transform().GetID())
    review = Review(harness.make_result(ct))
    edited = full(review.mask("infection"))
    edited[14, 30, 17] = False
    review.write_infection(BoxArray(edited, whole(SHAPE)))
    review.segmentation.SetName("Mine")
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(False)
    assert slicer.mrmlScene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    review = Review(slicer.util.getNode("Mine"))
    assert_masks(review.original)
    np.testing.assert_array_equal(full(review.mask("infection")), edited)
    np.testing.assert_array_equal(review.probability().full(SHAPE) == 200, expected()["infection"])


def test_writing_changes_only_the_infection_and_can_be_undone(review):
    part = review.mask("infection")
    emptied = BoxArray(np.zeros_like(part.array), part.box)
    review.write_infection(emptied)
    assert review.mask("infection") is None
    np.testing.assert_array_equal(full(review.mask("right_lung")), expected()["right_lung"])
    assert_masks(review.original)
    review.editor.undo()
    assert_masks(review.mask)
    review.editor.redo()
    assert review.mask("infection") is None


def test_a_series_of_changes_is_one_step_of_the_history(review):
    part = review.mask("infection")
    review.save_state()
    for plane in range(3):
        part.array[plane] = False
        review.write_infection(part, undo=False)
    review.editor.undo()
    assert_masks(review.mask)


def test_surfaces_follow_only_when_asked(review):
    contents = review.segmentation.GetSegmentation()
    surfaces = {name: contents.GetSegment(name).GetRepresentation("Closed surface") for name in expected()}
    part = review.mask("infection")
    part.array[2:] = False
    review.write_infection(part)
    for name, surface in surfaces.items():
        assert contents.GetSegment(name).GetRepresentation("Closed surface") is surface
    before = surfaces["infection"].GetNumberOfPoints()
    review.surfaces.update()
    assert contents.GetSegment("infection").GetRepresentation("Closed surface").GetNumberOfPoints() < before
    assert contents.GetSegment("left_lung").GetRepresentation("Closed surface") is surfaces["left_lung"]


def test_an_infection_that_shares_its_labelmap_with_the_lungs(review):
    contents = review.segmentation.GetSegmentation()
    labels = np.zeros(SHAPE, np.uint8)
    for value, name in enumerate(("right_lung", "left_lung", "infection"), start=1):
        labels[full(review.mask(name))] = value
    image = labelmap_of(BoxArray(labels, whole(SHAPE)), review.ct)
    for value, name in enumerate(("right_lung", "left_lung", "infection"), start=1):
        contents.GetSegment(name).SetLabelValue(value)
        contents.GetSegment(name).AddRepresentation("Binary labelmap", image)
    infection, lung = full(review.mask("infection")), full(review.mask("left_lung"))
    review.write_infection(BoxArray(np.roll(infection, 1, 2), whole(SHAPE)))
    np.testing.assert_array_equal(full(review.mask("infection")), np.roll(infection, 1, 2))
    np.testing.assert_array_equal(full(review.mask("left_lung")), lung)


def test_a_segment_that_was_removed_is_empty_and_comes_back(review):
    mask = review.mask("infection")
    review.segmentation.GetSegmentation().RemoveSegment("infection")
    assert review.mask("infection") is None
    review.write_infection(mask)
    assert_masks(review.mask)


def test_masks_on_another_grid_are_resampled(review):
    """For example after the segmentation's geometry was changed by hand."""
    image = slicer.vtkOrientedImageData()
    image.DeepCopy(review.segmentation.GetSegmentation().GetSegment("infection").GetRepresentation("Binary labelmap"))
    resampled = slicer.vtkOrientedImageData()
    spacing = [0.5 * size for size in image.GetSpacing()]
    geometry = slicer.vtkOrientedImageData()
    geometry.DeepCopy(image)
    geometry.SetSpacing(spacing)
    geometry.SetExtent(
        [bound for low, high in np.reshape(image.GetExtent(), (3, 2)) for bound in (2 * low, 2 * high + 1)]
    )
    slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(image, geometry, resampled)
    review.segmentation.GetSegmentation().GetSegment("infection").AddRepresentation("Binary labelmap", resampled)
    overlap = full(review.mask("infection")) & expected()["infection"]
    assert overlap.sum() > 0.8 * expected()["infection"].sum()


def test_observers_learn_of_changes(review):
    calls = []
    review.observe(lambda: calls.append(review.version))
    before = review.version
    review.write_infection(review.mask("infection"))
    assert calls
    assert review.version > before
    review.close()
    calls.clear()
    review.write_infection(review.mask("infection"))
    assert not calls


def test_one_review_for_each_result(result):
    reviews = Reviews()
    assert reviews.of(result) is reviews.of(result)
    reviews.clear()
    other = harness.make_result(harness.make_ct("another"))
    assert reviews.of(other) is not reviews.of(result)


def test_a_result_without_its_other_nodes(review):
    for node in (review.probability_node, review.original_node, review.ct):
        slicer.mrmlScene.RemoveNode(node)
    assert review.probability() is None
    assert review.original("infection") is None
    assert review.mask("infection") is None


def test_boxes():
    a, b = (slice(0, 2), slice(3, 5), slice(1, 2)), (slice(1, 4), slice(0, 1), slice(1, 2))
    assert join(a, None, b) == (slice(0, 4), slice(0, 5), slice(1, 2))
    assert join(None) is None
    part = BoxArray(np.ones((2, 2, 1), bool), a)
    assert part.crop(b).sum() == 0
    assert part.crop(a) is part.array
    assert part.full((6, 6, 6)).sum() == 4
