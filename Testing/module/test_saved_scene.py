"""A scene that an earlier version of the module saved still opens.

`data/saved_scene.mrb` was written by the module of November 2026, with `harness.make_ct` as CT and the fake child
process. Do not write it again with newer code.
"""

from pathlib import Path

import slicer
from harness import column, shown

from CovidSegModule.scene.provenance import ATTRIBUTES

SAVED_SCENE = Path(__file__).parent / "data" / "saved_scene.mrb"


def test_parameters_and_result_are_back(panel):
    assert slicer.mrmlScene.ReadFromMRB(str(SAVED_SCENE))
    assert panel.ui.inputSelector.currentNode().GetName() == "Chest CT"
    assert panel.ui.modelSelector.currentText == "U-Net 3D"
    assert panel.ui.deviceSelector.currentData == "cpu"
    assert panel.parameters.result.GetName() == "Chest CT infection"
    assert shown(panel.ui.resultsPanel)
    assert panel.ui.headlineLabel.text == "Infection in 2.5 % of the lungs"
    assert [column(panel, index) for index in range(6)] == [
        ["Right lung", "Left lung", "Both lungs"],
        ["472", "472", "943"],
        ["23.1", "0.0", "23.1"],
        ["4.9", "0.0", "2.5"],
        ["−833", "−851", "−842"],
        ["1", "0", "1"],
    ]


def test_the_scene_can_be_opened_before_the_module(request):
    assert slicer.mrmlScene.ReadFromMRB(str(SAVED_SCENE))
    panel = request.getfixturevalue("panel")
    assert panel.parameters.model == "unet-3d"
    assert panel.parameters.ct.GetName() == "Chest CT"
    assert shown(panel.ui.resultsPanel)


def test_nodes_have_the_names_that_scenes_use(panel):
    """The names in saved scenes, written out, so that a renamed constant does not go unnoticed."""
    assert slicer.mrmlScene.ReadFromMRB(str(SAVED_SCENE))
    node = panel.parameters.node
    assert node.GetSingletonTag() == "CovidSeg"
    assert node.GetAttribute("ModuleName") == "CovidSeg"
    assert (node.GetParameter("Model"), node.GetParameter("Device")) == ("unet-3d", "cpu")
    result = node.GetNodeReference("Result")
    assert node.GetNodeReference("InputVolume") is result.GetNodeReference("referenceImageGeometryRef")
    assert result.GetNodeReference("CovidSeg.Table").GetName() == "Chest CT infection numbers"
    assert ATTRIBUTES == ("CovidSeg.Version", "CovidSeg.Model", "CovidSeg.ModelSHA256", "CovidSeg.Provenance")
    assert all(result.GetAttribute(name) for name in ATTRIBUTES)


def test_the_surfaces_of_a_saved_result_can_be_hidden_and_shown(panel):
    assert slicer.mrmlScene.ReadFromMRB(str(SAVED_SCENE))
    panel.ui.show3DButton.click()
    panel.ui.show3DButton.click()
    assert panel.parameters.result.GetSegmentation().ContainsRepresentation("Closed surface")
