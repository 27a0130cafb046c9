"""The real child process on a synthetic chest, through the self-test that users run in Slicer and through the panel."""

import sys

import harness
import pytest
import qt
import slicer
from PySide6.QtTest import QTest

import CovidSeg
from CovidSegLib.models import installed
from CovidSegModule import scene

pytestmark = pytest.mark.skipif(not installed(), reason="needs the weights of a model")

#: CovidSegLib without what it needs for other than what the panel asks of it, and requirements.txt does not name.
WITHOUT_THE_REST = """
import runpy, sys
for name in ("matplotlib", "pytest"):
    sys.modules[name] = None
runpy.run_module("CovidSegLib", run_name="__main__", alter_sys=True)
"""


@pytest.fixture
def self_test(clean, monkeypatch):
    monkeypatch.setattr(CovidSeg, "SlicerInstaller", lambda idle: harness.FakeInstaller())
    test = CovidSeg.CovidSegTest()
    test.setUp()
    return test


@pytest.mark.parametrize("name", ["test_segment", "test_cancel", "test_unusable_input"])
def test_self_test(self_test, name):
    getattr(self_test, name)()


def test_self_test_runs_them_all(self_test, monkeypatch):
    ran = []
    for name in [name for name in dir(CovidSeg.CovidSegTest) if name.startswith("test_")]:
        test = lambda self, name=name: ran.append(name)  # noqa: E731
        test.__doc__ = name
        monkeypatch.setattr(CovidSeg.CovidSegTest, name, test)
    self_test.runTest()
    assert sorted(ran) == ["test_cancel", "test_segment", "test_unusable_input"]


def test_the_button_with_the_real_child(panel, self_test):
    """Button to surfaces, in a Python that has no more than what requirements.txt asks for."""
    panel.logic.program = [sys.executable, "-c", WITHOUT_THE_REST]
    model = panel.ui.modelSelector
    model.clear()
    model.addItem(installed()[0].title, installed()[0].name)
    ct = self_test.make_ct()
    panel.ui.deviceSelector.setCurrentIndex(panel.ui.deviceSelector.findData("cpu"))
    stages = set()
    QTest.mouseClick(panel.ui.applyButton, qt.Qt.LeftButton)
    harness.wait_until(lambda: stages.add(panel.ui.stageLabel.text) or panel.run is None, 120)
    assert panel.ui.statusLabel.text.startswith("Done in"), panel.ui.statusLabel.text
    assert len(stages) > 3
    node = slicer.mrmlScene.GetFirstNodeByName("Synthetic CT infection")
    assert node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is ct
    assert all(node.GetAttribute(name) for name in scene.ATTRIBUTES)
