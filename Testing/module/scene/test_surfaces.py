"""Surfaces follow the masks in steps, and are models while tools are open."""

import harness
import numpy as np
import pytest
import slicer
from stand_ins.editor_effects import Effect
from vtk.util.numpy_support import vtk_to_numpy

from CovidSegModule.scene.review import Reviews
from CovidSegModule.scene.surfaces import MODEL_ATTRIBUTE, SEGMENTS
from CovidSegModule.scene.voxels import CLOSED_SURFACE, BoxArray, ras_of


@pytest.fixture
def review():
    return Reviews().of(harness.make_result(harness.make_ct()))


def surface(review, name="infection"):
    return review.segmentation.GetSegmentation().GetSegment(name).GetRepresentation(CLOSED_SURFACE)


def models():
    nodes = slicer.util.getNodesByClass("vtkMRMLModelNode")
    return {node.GetAttribute(MODEL_ATTRIBUTE): node for node in nodes if node.GetAttribute(MODEL_ATTRIBUTE)}


def half(review):
    """Remove the upper half of the infection, and return its mask."""
    mask = review.mask("infection")
    array = mask.array.copy()
    array[array.shape[0] // 2 :] = False
    review.write_infection(BoxArray(array, mask.box))
    return review.mask("infection")


def test_only_changed_surfaces_are_made(review):
    assert not review.surfaces.due
    before = {name: (surface(review, name), surface(review, name).GetMTime()) for name in SEGMENTS}
    half(review)
    assert review.surfaces.due
    assert surface(review).GetMTime() == before["infection"][1]
    assert sum(1 for _ in review.surfaces.steps()) > 5
    assert not review.surfaces.due
    assert surface(review).GetMTime() > before["infection"][1]
    assert surface(review, "left_lung").GetMTime() == before["left_lung"][1]
    lung = review.mask("left_lung")
    review.write("left_lung", BoxArray(lung.array & (np.arange(lung.array.shape[2]) > 5), lung.box))
    review.surfaces.update()
    assert surface(review, "left_lung").GetMTime() > before["left_lung"][1]


def test_a_surface_lies_around_its_mask(review):
    mask = half(review)
    review.surfaces.update()
    points = vtk_to_numpy(surface(review).GetPoints().GetData())
    corners = np.argwhere(mask.array) + [part.start for part in mask.box]
    positions = np.array([ras_of(tuple(int(index) for index in corner), review.ct) for corner in corners])
    np.testing.assert_allclose(points.mean(0), positions.mean(0), atol=2)
    assert np.abs(points.min(0) - positions.min(0)).max() < 6, "a voxel is 5.3 mm"
    assert np.abs(points.max(0) - positions.max(0)).max() < 6


def test_views_learn_of_a_new_surface_and_it_is_no_edit(review):
    half(review)
    events = []
    review.segmentation.GetDisplayNode().AddObserver("ModifiedEvent", lambda *_: events.append("modified"))
    review.surfaces.update()
    assert events
    assert review.written == review.version


def test_an_empty_mask_has_an_empty_surface(review):
    review.write_infection(BoxArray(np.zeros((1, 1, 1), bool), (slice(0, 1),) * 3))
    review.surfaces.update()
    assert surface(review).GetNumberOfPoints() == 0


def test_without_surfaces_none_are_made(review):
    review.segmentation.RemoveClosedSurfaceRepresentation()
    half(review)
    assert not review.surfaces.due
    review.surfaces.take_off()
    assert not review.surfaces.off
    assert models() == {}


def test_surfaces_are_models_while_tools_are_open(review):
    node = review.segmentation
    node.GetDisplayNode().SetSegmentOpacity3D("right_lung", 0.15)
    review.surfaces.take_off()
    assert surface(review) is None
    shown = models()
    assert set(shown) == {"infection", "right_lung", "left_lung"}
    for name, model in shown.items():
        assert model.GetHideFromEditors() and not model.GetSaveWithScene()
        assert model.GetDisplayNode().GetColor() == node.GetSegmentation().GetSegment(name).GetColor()
    assert shown["right_lung"].GetDisplayNode().GetOpacity() == pytest.approx(0.15)
    before = shown["infection"].GetPolyData()
    half(review)
    review.surfaces.update()
    assert shown["infection"].GetPolyData() is not before
    node.GetDisplayNode().SetVisibility3D(False)
    review.surfaces.follow_display()
    assert not shown["infection"].GetDisplayNode().GetVisibility()
    after = shown["infection"].GetPolyData()
    review.surfaces.put_on()
    assert models() == {}
    assert surface(review) is after
    assert not review.surfaces.due


def test_a_stroke_makes_no_surface_while_tools_are_open(review):
    """Slicer makes the surface of a segment with each stroke, if it has one."""
    logic = slicer.vtkSlicerSegmentEditorLogic()
    logic.SetMRMLScene(slicer.mrmlScene)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
    logic.SetSegmentEditorNode(node)
    logic.SetSegmentationNode(review.segmentation)
    logic.SetSourceVolumeNode(review.ct)
    node.SetSelectedSegmentID("infection")
    node.SetActiveEffectName("Paint")
    stroke = np.zeros(review.hu().shape, np.uint8)
    stroke[12:15, 20:24, 14:20] = 1
    before = surface(review).GetMTime()
    Effect("Paint", logic).modify(stroke)
    assert surface(review).GetMTime() > before, "Slicer no longer does this; surfaces could stay on segments"
    review.surfaces.take_off()
    stroke[10:16] = stroke[12]
    Effect("Paint", logic).modify(stroke)
    assert surface(review) is None
    assert review.surfaces.due


def changed(review):
    """Do what the panel does after a change while the tools are open."""
    review.surfaces.note_change()
    review.surfaces.take_off()
    review.surfaces.update()


def test_redo_is_possible_after_surfaces_have_followed_an_undo(review):
    full = harness.infection_ml(review)
    review.surfaces.take_off()
    half(review)
    changed(review)
    smaller = harness.infection_ml(review)
    for step, volume in ((review.editor.undo, full), (review.editor.redo, smaller), (review.editor.undo, full)):
        step()
        changed(review)
        assert harness.infection_ml(review) == volume
        review.surfaces.put_on()
    assert review.surfaces.off, "giving the surface back would make redo impossible"
    half(review)
    review.surfaces.note_change()
    review.surfaces.put_on()
    assert not review.surfaces.off
    assert surface(review).GetNumberOfPoints() > 0


def test_an_undo_before_the_tools_were_opened_shows_one_surface(review):
    half(review)
    review.surfaces.note_change()
    review.surfaces.take_off()
    review.editor.undo()
    changed(review)
    assert surface(review) is not None
    assert not models()["infection"].GetDisplayNode().GetVisibility()
    assert not review.surfaces.due
    review.surfaces.put_on(force=True)
    assert models() == {}


def test_the_models_go_with_the_result(review):
    review.surfaces.take_off()
    review.close()
    assert models() == {}
