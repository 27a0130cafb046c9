"""The real child process on a synthetic CT: the self-test that users run in Slicer, and the panel."""

import sys
import unittest

import harness
import pytest
import slicer

import CovidSeg
from CovidSegLib.models import installed
from CovidSegModule.logic.input import InputLogic
from CovidSegModule.scene.provenance import ATTRIBUTES

pytestmark = pytest.mark.skipif(not installed(), reason="needs the weights of a model")

#: Runs CovidSegLib without packages that it needs for other tasks only, and that requirements.txt does not list.
WITHOUT_THE_REST = """
import runpy, sys
for name in ("matplotlib", "pytest", "torch", "monai"):
    sys.modules[name] = None
runpy.run_module("CovidSegLib", run_name="__main__", alter_sys=True)
"""


class SelfTest(CovidSeg.CovidSegTest):
    """The self-test in a Python that need not be Slicer's."""

    __test__ = False  # pytest runs it through the fixture below

    def create_logic(self):
        return InputLogic(harness.FakeInstaller())


@pytest.fixture
def self_test(clean):
    test = SelfTest()
    test.setUp()
    return test


@pytest.mark.parametrize("name", ["test_segment", "test_cancel", "test_unusable_input"])
def test_self_test(self_test, name):
    getattr(self_test, name)()


def test_run_test_runs_all_tests(self_test, monkeypatch):
    """Reload and Test calls runTest, CTest finds the tests by their names."""
    names = [name for name in dir(CovidSeg.CovidSegTest) if name.startswith("test_")]
    calls = []
    for name in names:
        test = lambda self, name=name: calls.append(name)  # noqa: E731
        test.__doc__ = name
        monkeypatch.setattr(SelfTest, name, test)
    self_test.runTest()
    assert sorted(calls) == sorted(names) == ["test_cancel", "test_segment", "test_unusable_input"]


def test_without_packages_the_self_test_is_skipped(self_test, monkeypatch):
    messages = []
    monkeypatch.setattr(self_test, "delayDisplay", messages.append)
    monkeypatch.setattr(self_test, "create_logic", lambda: InputLogic(harness.FakeInstaller(["torch"])))
    self_test.runTest()
    assert messages == ["Skipped. Install torch first, with the button of the panel."]


def test_slicer_and_ctest_find_the_self_test_once():
    tests = unittest.TestLoader().loadTestsFromModule(CovidSeg)
    names = sorted(test.id() for suite in tests for test in suite)
    assert names == [f"CovidSeg.CovidSegTest.{name}" for name in ("test_cancel", "test_segment", "test_unusable_input")]
    assert CovidSeg.CovidSegTest().create_logic().installer is not None


def test_the_button_with_the_real_child(panel, self_test):
    """Segment from the button to the surfaces, in a Python with only the packages that requirements.txt lists."""
    panel.sections["input"].logic.program = [sys.executable, "-c", WITHOUT_THE_REST]
    model = panel.ui.modelSelector
    model.clear()
    model.addItem(installed()[0].title, installed()[0].name)
    ct = self_test.make_ct()
    panel.ui.deviceSelector.setCurrentIndex(panel.ui.deviceSelector.findData("cpu"))
    stages = set()
    harness.click(panel.ui.applyButton)
    harness.wait_until(lambda: stages.add(panel.ui.stageLabel.text) or harness.current_run(panel) is None, 120)
    assert panel.ui.statusLabel.text.startswith("Done in"), panel.ui.statusLabel.text
    assert len(stages) > 3
    node = slicer.mrmlScene.GetFirstNodeByName("Synthetic CT infection")
    assert node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is ct
    assert all(node.GetAttribute(name) for name in ATTRIBUTES)
