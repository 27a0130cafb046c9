"""Observers of nodes do not keep the nodes in memory."""

import gc

import harness
import slicer
import vtk

from CovidSegModule.scene.observers import NodeObservers


def nodes_in_memory():
    gc.collect()
    return sum(type(item).__name__ == "vtkMRMLScalarVolumeNode" for item in gc.get_objects())


def test_a_removed_observer_is_not_called():
    observers, calls = NodeObservers(), []
    ct, other = harness.make_ct(), harness.make_ct()
    for node in (ct, other):
        observers.add(node, vtk.vtkCommand.ModifiedEvent, lambda caller, event: calls.append(caller.GetName()))
    observers.remove(ct)
    ct.Modified()
    other.Modified()
    assert calls == [other.GetName()]
    observers.clear()
    other.Modified()
    assert len(calls) == 1


def test_a_node_that_is_not_observed_any_more_is_not_kept():
    before = nodes_in_memory()
    observers = NodeObservers()
    ct = harness.make_ct()
    observers.add(ct, vtk.vtkCommand.ModifiedEvent, print)
    observers.remove(ct)
    slicer.mrmlScene.RemoveNode(ct)
    del ct
    assert nodes_in_memory() == before


def test_the_panel_does_not_keep_a_ct_that_was_closed(panel):
    """It would stay in memory until Slicer quits."""
    before = nodes_in_memory()
    for _ in range(3):
        panel.ui.inputSelector.setCurrentNode(harness.make_ct())
        slicer.app.processEvents()
        slicer.mrmlScene.Clear(False)
        slicer.app.processEvents()
    assert nodes_in_memory() <= before + 1
