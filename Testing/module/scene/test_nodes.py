"""Adding nodes to the scene, and removing them after a failure."""

import harness
import pytest
import slicer

from CovidSegModule.scene.nodes import add_node, node_ids, removed_on_failure


def test_names_are_unique():
    first, second = (add_node("vtkMRMLModelNode", "lung") for _ in range(2))
    assert first.GetName() == "lung"
    assert second.GetName() != "lung"


def test_a_failure_leaves_no_nodes():
    ct = harness.make_ct()
    before = node_ids()
    with pytest.raises(RuntimeError, match="stop"), removed_on_failure():
        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode")
        raise RuntimeError("stop")
    assert node_ids() == before
    assert slicer.mrmlScene.GetNodeByID(ct.GetID()) is ct
