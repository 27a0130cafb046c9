"""The logic of the section "lesions", on a real MRML scene with Slicer's real history."""

import time

import harness
import numpy as np
import pytest
import slicer
from harness import infection_ml, make_ct, make_result, make_transform

from CovidSegLib.quantification.lesion_tracking import ACCEPTED, EDITED, PROPOSED, REJECTED, LesionTracker
from CovidSegModule.lesion_rows import cells, sort
from CovidSegModule.logic.lesions import DecisionError, LesionsLogic
from CovidSegModule.scene import lesions as nodes
from CovidSegModule.scene.review import Reviews
from CovidSegModule.scene.segmentations import INFECTION
from CovidSegModule.scene.voxels import BoxArray, ras_of


@pytest.fixture
def ct():
    return make_ct(array=harness.several_lesions())


@pytest.fixture
def result(ct):
    return make_result(ct)


@pytest.fixture
def lesions(result):
    return LesionsLogic(Reviews()).of(result)


def states(lesions):
    return {lesion.number: lesion.state for lesion in lesions.lesions()}


def erase(lesions, number):
    """Erase a lesion as the Segment Editor does."""
    review = lesions.review
    review.save_state()
    mask = review.mask(INFECTION).full(review.grid.shape).copy()
    mask[lesions.tracker.boxes[number]][lesions.tracker.mask(number)] = False
    harness.edit(review, INFECTION, mask)


def test_lesions_of_a_result(lesions):
    rows = lesions.lesions()
    assert [lesion.number for lesion in rows] == [1, 2, 3, 4]
    assert [lesion.side for lesion in rows] == ["right", "right", "left", "right"]
    assert {lesion.state for lesion in rows} == {PROPOSED}
    assert {lesion.mean_hu for lesion in rows} == {-500}
    assert rows[0].mean_probability > 0.5
    assert sum(lesion.volume_ml for lesion in rows) == pytest.approx(infection_ml(lesions.review))


def test_accept_and_undo(lesions):
    lesions.accept([1, 3])
    assert states(lesions) == {1: ACCEPTED, 2: PROPOSED, 3: ACCEPTED, 4: PROPOSED}
    lesions.accept([2])
    lesions.undo()
    assert states(lesions)[2] == PROPOSED
    lesions.undo()
    assert states(lesions)[1] == PROPOSED
    lesions.redo()
    lesions.redo()
    assert states(lesions) == {1: ACCEPTED, 2: ACCEPTED, 3: ACCEPTED, 4: PROPOSED}


def test_rejected_lesions_leave_the_infection(lesions):
    before = infection_ml(lesions.review)
    first = lesions.lesions()[0]
    lesions.reject([1])
    assert infection_ml(lesions.review) == pytest.approx(before - first.volume_ml)
    assert states(lesions)[1] == REJECTED
    assert lesions.lesions()[0].volume_ml == first.volume_ml, "it is still listed"
    lesions.undo()
    assert infection_ml(lesions.review) == pytest.approx(before)
    assert states(lesions)[1] == PROPOSED
    lesions.redo()
    assert states(lesions)[1] == REJECTED
    lesions.restore([1])
    assert infection_ml(lesions.review) == pytest.approx(before)
    assert states(lesions)[1] == PROPOSED


def test_rejected_lesions_are_shown_as_grey_outlines(lesions):
    lesions.reject([1])
    segmentation = lesions.review.segmentation
    segment = segmentation.GetSegmentation().GetSegment(nodes.REJECTED_SEGMENT)
    assert segment.GetColor() == (0.6, 0.6, 0.6)
    display = segmentation.GetDisplayNode()
    assert display.GetSegmentOpacity2DFill(nodes.REJECTED_SEGMENT) == 0.0
    assert not display.GetSegmentVisibility3D(nodes.REJECTED_SEGMENT)


def test_accepting_a_rejected_lesion_brings_it_back(lesions):
    before = infection_ml(lesions.review)
    lesions.reject([1, 2])
    lesions.accept([1])
    assert states(lesions)[1] == ACCEPTED
    lesions.restore([2])
    assert infection_ml(lesions.review) == pytest.approx(before)


def test_reject_all_below_a_volume(lesions):
    lesions.accept([4])
    assert lesions.reject_smaller(7) == 1
    assert states(lesions) == {1: PROPOSED, 2: PROPOSED, 3: REJECTED, 4: ACCEPTED}
    lesions.undo()
    assert states(lesions)[3] == PROPOSED
    assert lesions.reject_smaller(0.01) == 0


def test_edits_keep_numbers_and_are_undone_with_decisions(lesions):
    lesions.accept([1])
    lesions.lesions()
    erase(lesions, 2)
    assert states(lesions) == {1: ACCEPTED, 3: PROPOSED, 4: PROPOSED}
    lesions.reject([3])
    lesions.undo()
    assert states(lesions) == {1: ACCEPTED, 3: PROPOSED, 4: PROPOSED}
    lesions.undo()
    assert states(lesions) == {1: ACCEPTED, 2: PROPOSED, 3: PROPOSED, 4: PROPOSED}
    lesions.redo()
    lesions.lesions()
    lesions.redo()
    assert states(lesions) == {1: ACCEPTED, 3: REJECTED, 4: PROPOSED}


def bridge(lesions, first, second):
    """Paint a straight bridge between two lesions, as the Segment Editor does."""
    review = lesions.review
    review.save_state()
    mask = review.mask(INFECTION).full(review.grid.shape).copy()
    start, end = (np.array(lesions.tracker.points(number)[0][:3]) for number in (first, second))
    for share in np.linspace(0, 1, 200):
        mask[tuple(np.round(start + share * (end - start)).astype(int))] = True
    harness.edit(review, INFECTION, mask)


@pytest.mark.parametrize("follows", [False, True], ids=["at once", "step by step"])
def test_two_quick_edits_that_are_undone_leave_the_numbers(lesions, follows):
    """Lesions are numbered again only after both edits, so that the state between them has the numbers of before."""
    before = {lesion.number: lesion.volume_ml for lesion in lesions.lesions()}
    bridge(lesions, 1, 2)
    erase(lesions, 4)
    assert set(states(lesions)) == {1, 3}
    for _step in range(2):
        if follows:
            lesions.undo()
            lesions.lesions()
        else:
            lesions.review.editor.undo()  # as the button of Slicer's tools
    assert {lesion.number: lesion.volume_ml for lesion in lesions.lesions()} == before
    assert set(states(lesions).values()) == {PROPOSED}


def test_an_edit_changes_the_state(lesions):
    lesions.accept([1])
    review = lesions.review
    lesions.lesions()
    mask = review.mask(INFECTION).full(review.grid.shape).copy()
    mask[lesions.tracker.points(1)[0][:3]] = False
    harness.edit(review, INFECTION, mask)
    assert states(lesions)[1] == EDITED


def test_a_threshold_does_not_change_the_state(lesions):
    lesions.accept([1])
    mask = lesions.review.mask(INFECTION)
    array = mask.array.copy()
    array[:, ::2, :2] = False
    lesions.review.write_infection(BoxArray(array, mask.box))
    assert states(lesions)[1] == ACCEPTED


def test_merge_and_split(lesions):
    assert lesions.merge([1, 2]) == 1
    assert states(lesions) == {1: EDITED, 3: PROPOSED, 4: PROPOSED}
    assert sorted(lesions.split(1)) == [1, 5]
    lesions.undo()
    assert list(states(lesions)) == [1, 3, 4]
    lesions.undo()
    assert states(lesions) == dict.fromkeys((1, 2, 3, 4), PROPOSED)


def slice_views(position):
    """Add three slice views that meet at a position."""
    for name, normal, across in (
        ("Red", (0, 0, 1), (-1, 0, 0)),
        ("Yellow", (1, 0, 0), (0, 1, 0)),
        ("Green", (0, 1, 0), (-1, 0, 0)),
    ):
        node = slicer.vtkMRMLSliceNode()
        node.SetName(name)
        node.SetLayoutName(name)
        node = slicer.mrmlScene.AddNode(node)
        node.SetSliceToRASByNTP(*normal, *across, *position, 0)
        node.JumpSliceByOffsetting(*position)


def test_split_off_the_part_in_which_the_views_meet(lesions, ct):
    """A ball has no neck. The reader chooses a place to the side of it."""
    largest = lesions.lesions()[0]
    tracker = lesions.tracker
    voxels = np.argwhere(tracker.mask(1)) + [part.start for part in tracker.boxes[1]]
    with pytest.raises(DecisionError, match="Shift"):
        lesions.split(1)
    with pytest.raises(DecisionError, match="do not meet"):
        lesions.split_at_views(1)
    place = tuple(int(index) for index in voxels[voxels[:, 0].argmin()])
    slice_views(ras_of(place, ct))
    assert sorted(lesions.split_at_views(1)) == [1, 5]
    after = {lesion.number: lesion for lesion in lesions.lesions()}
    assert after[1].volume_ml + after[5].volume_ml == pytest.approx(largest.volume_ml)
    assert tracker.labels[place] == tracker.labels[tracker.points(5)[0][:3]]
    lesions.undo()
    assert [lesion.number for lesion in lesions.lesions()] == [1, 2, 3, 4]


def test_a_place_outside_the_lesion_splits_nothing(lesions, ct):
    slice_views(ras_of((29, 47, 63), ct))
    with pytest.raises(DecisionError, match="do not meet"):
        lesions.split_at_views(1)


def test_what_cannot_be_merged_or_split(lesions):
    with pytest.raises(DecisionError, match="same lung"):
        lesions.merge([1, 3])
    with pytest.raises(DecisionError, match="narrow place"):
        lesions.split(4)
    assert states(lesions) == dict.fromkeys((1, 2, 3, 4), PROPOSED)


def test_everything_is_saved_with_the_scene(lesions, tmp_path):
    lesions.merge([1, 2])
    lesions.accept([1])
    lesions.reject([3])
    rows = lesions.lesions()
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(False)
    assert slicer.mrmlScene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    loaded = LesionsLogic(Reviews()).of(slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode"))
    again = loaded.lesions()
    assert [(row.number, row.state, row.side) for row in again] == [(row.number, row.state, row.side) for row in rows]
    assert [row.volume_ml for row in again] == pytest.approx([row.volume_ml for row in rows])
    loaded.accept([4])
    loaded.undo()
    assert states(loaded)[4] == PROPOSED
    loaded.restore([3])
    assert states(loaded) == {1: ACCEPTED, 3: PROPOSED, 4: PROPOSED}


def test_names_that_are_stored():
    assert (nodes.REJECTED_SEGMENT, nodes.TAG) == ("rejected", "CovidSeg.Lesions")


def test_a_damaged_tag_is_ignored(result):
    nodes.write_tag(result, '{"lesions": [[1, 2]]}')
    lesions = LesionsLogic(Reviews()).of(result)
    assert states(lesions) == dict.fromkeys((1, 2, 3, 4), PROPOSED)


def test_corrected_lungs_show_lesions_outside(lesions):
    review = lesions.review
    lesions.lesions()
    mask = review.mask("left_lung").full(review.grid.shape).copy()
    mask[lesions.tracker.boxes[3]] = False
    harness.edit(review, "left_lung", mask)
    row = next(row for row in lesions.lesions() if row.side == "outside")
    assert row.zone is None
    assert infection_ml(review) == pytest.approx(sum(row.volume_ml for row in lesions.lesions())), "nothing was cut"


def test_lobes_of_another_segmentation(lesions, ct):
    assert {row.lobe for row in lesions.lesions()} == {None}
    harness.add_lobes(ct)
    assert [row.lobe for row in lesions.lesions()] == ["right middle", "right lower", "left lower", "right upper"]


# --- views ---


def test_showing_a_lesion_centres_the_views(lesions, ct, result):
    transform = make_transform()
    for node in (ct, result):
        node.SetAndObserveTransformNodeID(transform.GetID())
    view = slicer.mrmlScene.AddNode(slicer.vtkMRMLSliceNode())
    camera = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLCameraNode")
    distance = camera.GetCamera().GetDistance()
    lesions.show(2)
    position = ras_of(lesions.tracker.points(2)[0][:3], ct)
    assert view.GetSliceToRAS().GetElement(2, 3) == pytest.approx(position[2])
    assert camera.GetFocalPoint() == pytest.approx(position)
    assert camera.GetCamera().GetDistance() == pytest.approx(distance)
    outline = nodes.outline_node()
    bounds = np.zeros(6)
    outline.GetRASBounds(bounds)
    assert all(low - 9 < along < high + 9 for low, along, high in zip(bounds[::2], position, bounds[1::2], strict=True))
    assert not outline.GetSaveWithScene()
    nodes.hide_outline()
    assert nodes.outline_node() is None


# --- the table ---


def test_sort(lesions):
    lesions.accept([2])
    rows = lesions.lesions()
    assert [row.number for row in sort(rows, "volume_ml")] == [4, 3, 2, 1]
    assert next(row.number for row in sort(rows, "state", descending=True)) == 2
    assert sort(rows, "lobe") == rows
    assert len(cells(rows[0])) == 8
    assert cells(rows[0])[1:4] == ["right", "middle", "–"]


def test_a_segmentation_that_is_no_result():
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    logic = LesionsLogic(Reviews())
    assert logic.of(node) is None
    assert logic.of(None) is None


def test_a_result_without_its_ct(lesions, ct, result):
    slicer.mrmlScene.RemoveNode(ct)
    assert LesionsLogic(Reviews()).of(result) is None


def test_a_result_without_infection():
    array = harness.painted()
    array[array == -500] = -850
    result = make_result(make_ct(array=array))
    lesions = LesionsLogic(Reviews()).of(result)
    assert lesions.lesions() == []
    assert lesions.reject_smaller(1) == 0


@pytest.fixture
def slow(monkeypatch):
    """Let numbering lesions again take a while, as after a cut through a lung of a large CT."""
    update = LesionTracker.update

    def slow_update(*arguments):
        time.sleep(0.3)
        return update(*arguments)

    monkeypatch.setattr(LesionTracker, "update", slow_update)


def test_a_large_edit_does_not_block_the_application(lesions, slow):
    lesions.lesions()
    erase(lesions, 1)
    start, pieces = time.monotonic(), []
    while lesions.prepare():
        pieces.append(time.monotonic() - start)
        start = time.monotonic()
    assert len(pieces) > 2, "it waits in pieces"
    assert 1 not in states(lesions)


def test_an_edit_while_lesions_are_numbered_is_followed(lesions, slow):
    lesions.lesions()
    erase(lesions, 1)
    while lesions._update is None:
        assert lesions.prepare()
    erase(lesions, 2)
    assert set(states(lesions)) == {3, 4}
