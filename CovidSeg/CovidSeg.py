"""CovidSeg, a 3D Slicer module that segments the lungs and COVID-19 infection in chest CT.

This file holds the four classes that Slicer looks for. Their code is in the package CovidSegModule beside it. See the
docstring of that package for its structure. CovidSegLib does the segmentation, in a process of its own.
"""

import importlib.util
import sys
from pathlib import Path

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleWidget,
)

# An installed module has CovidSegLib beside this file. In a source tree, it is one folder up.
if importlib.util.find_spec("CovidSegLib") is None:
    sys.path.append(str(Path(__file__).resolve().parents[1]))

from CovidSegModule import sample_data, self_test
from CovidSegModule.parameters import Parameters
from CovidSegModule.section_logics import SectionLogics
from CovidSegModule.widgets.panel import Panel

HOMEPAGE = "https://github.com/covidseg/SlicerCovidSeg"


class CovidSeg(ScriptedLoadableModule):
    """Describes the module to Slicer."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        slicer.app.connect("startupCompleted()", sample_data.register)
        parent.title = "CovidSeg"
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["Segmentations"]
        parent.contributors = ["CovidSeg contributors"]
        parent.helpText = _(
            "Segments the lungs and COVID-19 infection in a chest CT and measures them. "
            "<b>Research software. Not for diagnosis.</b> Everything runs on this computer. "
            'Read the <a href="{url}">documentation</a> or <a href="{url}/issues">report a problem</a>.'
        ).format(url=HOMEPAGE)
        parent.acknowledgementText = _(
            "Developed by the CovidSeg contributors. Built on PyTorch, MONAI, SimpleITK and 3D Slicer, and on "
            'published networks. The <a href="{url}">documentation</a> names their authors.'
        ).format(url=HOMEPAGE)


class CovidSegWidget(ScriptedLoadableModuleWidget):
    """Connects the panel to Slicer.

    Args:
        parent: The widget that Slicer creates for the module.
        logic: The logic to use instead of a new `CovidSegLogic`.
    """

    def __init__(self, parent=None, logic=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        self.logic = logic
        self.panel = None

    def setup(self):
        """Create the panel. Slicer calls this when the module is opened for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        if self.logic is None:
            self.logic = CovidSegLogic()
        self.panel = Panel(self.logic, self.resourcePath, lambda: self.parent.isEntered)
        self.ui = self.panel.ui
        self.layout.addWidget(self.panel.widget)
        self.panel.setup()

    def cleanup(self):
        """Stop everything when the module is reloaded or the application quits."""
        if self.panel:
            self.panel.cleanup()

    def enter(self):
        """Tell the panel that the user has opened the module."""
        if self.panel:
            self.panel.enter()

    def exit(self):
        """Tell the panel that the user has left the module."""
        if self.panel:
            self.panel.exit()

    def onReload(self):
        """Reload CovidSegModule together with this file, for developers."""
        for name in [name for name in sys.modules if name.partition(".")[0] == "CovidSegModule"]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)


class CovidSegLogic(ScriptedLoadableModuleLogic, SectionLogics):
    """Segments CTs without the panel, from scripts and tests: `CovidSegLogic().segment(ct)`.

    Args:
        input_logic: The logic of the section "input".
        results_logic: The logic of the section "results".
    """

    def __init__(self, input_logic=None, results_logic=None):
        ScriptedLoadableModuleLogic.__init__(self)
        SectionLogics.__init__(self, input_logic, results_logic)

    def parameters(self):
        """Return the parameters of the current scene, as selected in the panel."""
        return Parameters(self.getParameterNode())

    def segment(self, ct, model="", device="auto"):
        """Segment a CT and wait for the result. See `InputLogic.segment`."""
        return self.input.segment(ct, model, device)


class CovidSegTest(self_test.SelfTest):
    """Self-test. Run it with Reload and Test, or with CTest."""

    def create_logic(self):
        """Return the logic to test."""
        return CovidSegLogic().input
