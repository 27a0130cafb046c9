"""A whole reading in the panel, by clicks and keys: from the sample CT to a saved scene that is opened again.

`test_reading.py` plays it. The pictures of the tutorial are made by playing it on the full sample CT:

    python Testing/module/reading.py docs/tutorial

Each step does what its name says, checks that the panel shows the consequences, and is a section of the tutorial.
"""

import argparse
import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":
    import conftest  # noqa: F401 - starts the stand-ins for Slicer

import harness
import numpy as np
import qt
import slicer
from harness import click, press, settle, shown
from PySide6 import QtWidgets
from PySide6.QtTest import QTest

import CovidSeg
from CovidSegLib.models import installed
from CovidSegLib.phantom import make_phantom
from CovidSegModule.logic.input import InputLogic
from CovidSegModule.logic.readiness import ReadinessLogic
from CovidSegModule.scene.surfaces import MODEL_ATTRIBUTE

#: CovidSegLib as the child process.
REAL = [sys.executable, "-m", "CovidSegLib"]
#: Size of the panel in the pictures of the tutorial, which show the views beside it.
PANEL_SIZE, VIEW_SIZE = (430, 780), (380, 260)
COLOURS = 96
#: Steps without a picture in the tutorial.
NOT_SHOWN = {"lesions", "undo"}
#: Where the stroke is painted: distance from the middle of the lesion, and radius of the brush.
BESIDE_MM, BRUSH_MM = 45, 12


class Reading:
    """Plays the steps in order.

    Args:
        widget: The module, opened in a window.
        folder: Where the scene is saved.
        prior: Returns the `Volume` of an earlier CT.
        seconds: How long the child process may take.

    Attributes:
        follow_up_program: Replaces the real child process in the comparison with the earlier CT, which takes long.
    """

    def __init__(self, widget, folder, prior, seconds=120):
        self.widget, self.panel, self.ui = widget, widget.panel, widget.panel.ui
        self.folder, self.prior, self.seconds = folder, prior, seconds
        self.follow_up_program = None
        self.questions = []
        self.volumes = {}

    def steps(self):
        """Return the steps: name, function, and the widget that its picture shows."""
        return [
            ("open", self.open, self.ui.inputSelector),
            ("segment", self.segment, self.ui.headlineLabel),
            ("threshold", self.move_the_threshold, self.ui.doubtLabel),
            ("lesions", self.go_through_lesions, self.ui.lesionsTable),
            ("reject", self.reject_one, self.ui.lesionsTable),
            ("paint", self.paint_one, self.ui.toolsPanel),
            ("undo", self.undo, self.ui.lesionsTable),
            ("compare", self.compare_with_ai, self.ui.restoreAllButton),
            ("numbers", self.look_at_the_numbers, self.ui.numbersTable),
            ("follow-up", self.compare_with_prior, self.ui.changesTable),
            ("go-on", self.save_close_load_and_go_on, self.ui.lesionsTable),
        ]

    # --- what can be seen ---

    @property
    def result(self):
        return self.panel.parameters.result

    @property
    def review(self):
        return self.widget.logic.reviews.of(self.result)

    def infection_ml(self):
        return harness.infection_ml(self.review)

    def column(self, index):
        table = self.ui.lesionsTable
        return [table.item(row, index).text() for row in range(table.rowCount)]

    def confirm(self, question, *_):
        """Answer a question with yes, as the user does."""
        self.questions.append(question)
        return True

    def settle(self):
        """Wait until everything has followed: numbers, lesions, surfaces and the preparation of the slider."""
        settle(0.8)
        harness.wait_until(lambda: not self.widget.logic.threshold.prepare(self.result), self.seconds)
        harness.wait_until(lambda: not self.review.surfaces.due, self.seconds)
        harness.wait_until(lambda: not self.panel.sections["lesions"]._lesions().prepare(), self.seconds)
        settle(0.4)

    # --- the steps ---

    def open(self):
        """Load the sample CT. A good CT has no warnings."""
        click(self.ui.sampleButton)
        harness.wait_until(lambda: self.panel.parameters.ct is not None, self.seconds)
        settle(0.3)
        assert self.ui.inputSelector.currentNode() is self.panel.parameters.ct
        assert self.ui.applyButton.enabled
        assert self.panel.parameters.ct.GetDisplayNode().GetWindow() == 1500, "the lung window"
        assert not shown(self.ui.resultsPanel)

    def segment(self):
        """Agree to the licence of the model, segment, and read the numbers of both lungs."""
        click(self.ui.applyButton)
        assert "licence" in self.questions[0]
        harness.wait_until(lambda: harness.current_run(self.panel) is None, self.seconds)
        assert self.ui.statusLabel.text.startswith("Done in"), self.ui.statusLabel.text
        assert self.ui.headlineLabel.text.startswith("Infection in")
        self.settle()
        assert shown(self.ui.lesionsPanel) and shown(self.ui.thresholdPanel) and shown(self.ui.comparisonPanel)
        assert self.ui.comparisonLabel.text == "Nothing was edited."
        assert len(self.column(0)) > 2
        self.volumes["model"] = self.infection_ml()

    def move_the_threshold(self):
        """Lower the threshold with the arrow keys, and look at the first doubtful place."""
        self.ui.thresholdSlider.setFocus()
        for _ in range(15):
            QTest.keyClick(self.ui.thresholdSlider, qt.Qt.Key_Left)
        assert self.ui.thresholdValueLabel.text == "35 %"
        self.settle()
        assert self.infection_ml() > self.volumes["model"]
        assert f"{self.infection_ml():.1f} ml" in self.ui.thresholdVolumeLabel.text
        press(self.panel, "N")
        assert self.ui.doubtLabel.text.startswith("Doubtful place 1 of")
        assert self.ui.doubtButton.checked
        self.volumes["threshold"] = self.infection_ml()

    def go_through_lesions(self):
        """Hide the doubtful places, and go to the second lesion."""
        press(self.panel, "D")
        assert not self.ui.doubtButton.checked
        press(self.panel, "L")
        press(self.panel, "L")
        assert self.ui.lesionsTable.currentRow() == 1
        press(self.panel, "Shift+L")
        press(self.panel, "L")
        assert self.ui.lesionsTable.currentRow() == 1

    def reject_one(self):
        """Reject it. It leaves the infection, and the next lesion is shown."""
        row = self.ui.lesionsTable.currentRow()
        press(self.panel, "X")
        self.settle()
        assert self.column(7)[row] == "rejected"
        self.volumes["rejected"] = self.infection_ml()
        assert self.volumes["rejected"] < self.volumes["threshold"]
        assert "1 rejected" in self.ui.lesionsLabel.text
        assert self.ui.lesionsTable.currentRow() == (row + 1) % len(self.column(0))

    def paint_one(self):
        """Open the tools, which begin with the brush, and paint what the model has missed."""
        press(self.panel, "E")
        assert shown(self.ui.toolsPanel)
        section = self.panel.sections["correction"]
        assert section.editor.activeEffect().name == "Paint"
        assert "infection" in self.surface_models(), "surfaces are models while tools are open"
        click(self.ui.limitRangeBox)  # healthy lung is darker than the range that can be painted
        section.editor.activeEffect().modify(self.stroke())
        self.settle()
        self.volumes["painted"] = self.infection_ml()
        assert self.volumes["painted"] > self.volumes["rejected"] + 0.05
        assert f"{self.infection_ml():.1f} ml" in self.ui.thresholdVolumeLabel.text

    def surface_models(self):
        nodes = slicer.util.getNodesByClass("vtkMRMLModelNode")
        return [node.GetAttribute(MODEL_ATTRIBUTE) for node in nodes if node.GetAttribute(MODEL_ATTRIBUTE)]

    def stroke(self):
        """Return a ball in healthy lung beside the lesion that is shown, in the same slice."""
        lesions = self.panel.sections["lesions"]._lesions()
        number = int(self.ui.lesionsTable.item(self.ui.lesionsTable.currentRow(), 0).text())
        lesion = np.array(lesions.tracker.points(number)[0][:3])
        shape, spacing = self.review.hu().shape, np.array(self.review.grid.spacing[::-1])
        lungs = self.review.mask("right_lung").full(shape) | self.review.mask("left_lung").full(shape)
        healthy = lungs & ~self.review.mask("infection").full(shape) & (self.review.hu() < -750)
        voxels = np.argwhere(healthy[lesion[0]])
        distances = np.hypot(*((voxels - lesion[1:]) * spacing[1:]).T)
        middle = (lesion[0], *voxels[np.argmin(np.abs(distances - BESIDE_MM))])
        away = sum(
            ((index - centre) * step) ** 2
            for index, centre, step in zip(np.ogrid[tuple(map(slice, shape))], middle, spacing, strict=True)
        )
        return away <= BRUSH_MM**2

    def undo(self):
        """Undo the stroke, redo it, undo it again, and close the tools."""
        for key, volume in (("Ctrl+Z", "rejected"), ("Ctrl+Y", "painted"), ("Ctrl+Z", "rejected")):
            press(self.panel, key)
            self.settle()
            assert abs(self.infection_ml() - self.volumes[volume]) < 1e-6, key
        click(self.ui.limitRangeBox)
        press(self.panel, "E")
        assert not shown(self.ui.toolsPanel)
        self.settle()
        assert "1 rejected" in self.ui.lesionsLabel.text

    def compare_with_ai(self):
        """Show what was changed since the model's result, and its outline."""
        press(self.panel, "A")
        assert self.ui.outlineButton.checked
        assert self.ui.comparisonLabel.text.startswith("Dice 0.")
        assert "ml added" in self.ui.comparisonLabel.text
        self.go_to_rejected()

    def go_to_rejected(self):
        self.ui.lesionsTable.setCurrentCell(self.column(7).index("rejected"), 0)
        slicer.app.processEvents()

    def look_at_the_numbers(self):
        """Hide the outline, and look at ground glass and consolidation."""
        press(self.panel, "A")
        assert not self.ui.outlineButton.checked
        self.ui.numbersViewSelector.setCurrentIndex(1)
        settle(0.2)
        assert "of 24" in self.ui.severityLabel.text, "the score by zone, because lobes are not known"
        click(self.ui.copyNumbersButton)
        assert "Right upper zone" in qt.QApplication.clipboard().text()

    def compare_with_prior(self):
        """Select an earlier CT, compare, and go to the first lesion that has changed."""
        prior = harness.ct_of(self.prior(), "Earlier chest CT")
        prior.SetAndObserveTransformNodeID(self.panel.parameters.ct.GetTransformNodeID())
        self.panel.parameters.ct = self.review.ct  # the current CT stays selected
        self.ui.priorSelector.setCurrentNode(prior)
        self.ui.daysBox.setValue(12)
        slicer.app.processEvents()
        assert "no segmentation yet" in self.ui.priorNoteLabel.text
        if self.follow_up_program:
            self.panel.sections["input"].logic.program = self.follow_up_program
        click(self.ui.compareButton)
        followup = self.panel.sections["followup"]
        harness.wait_until(lambda: followup.task is None, self.seconds)
        assert shown(self.ui.followupResultPanel), self.ui.followupStatusLabel.text
        assert "in 12 days" in self.ui.followupHeadline.text
        assert self.ui.changesTable.rowCount > 1
        press(self.panel, "J")
        assert self.ui.changesTable.currentRow() == 0
        self.settle()

    def save_close_load_and_go_on(self):
        """Save the scene, close it, open it again, and accept the next lesion."""
        lesions, headline, change = self.column(7), self.ui.headlineLabel.text, self.ui.followupHeadline.text
        path = str(self.folder / "reading.mrb")
        assert slicer.mrmlScene.WriteToMRB(path)
        slicer.mrmlScene.Clear(False)
        slicer.app.processEvents()
        assert not shown(self.ui.resultsPanel) and not shown(self.ui.lesionsPanel)
        assert slicer.mrmlScene.ReadFromMRB(path)
        self.settle()
        assert self.ui.headlineLabel.text == headline
        assert self.column(7) == lesions
        assert abs(self.infection_ml() - self.volumes["rejected"]) < 1e-6
        assert self.ui.thresholdValueLabel.text == "35 %"
        assert self.ui.comparisonLabel.text.startswith("Dice 0.")
        assert self.ui.followupHeadline.text == change
        press(self.panel, "L")
        press(self.panel, "C")
        self.settle()
        assert self.column(7)[0] == "accepted"
        press(self.panel, "X")  # the lesion that followed
        self.settle()
        assert "rejected" in self.column(7)
        press(self.panel, "Z")
        self.settle()
        assert self.column(7)[0] == "accepted"
        assert abs(self.infection_ml() - self.volumes["rejected"]) < 1e-6


def make_widget():
    """Return the module with the real models and the real child process, and a computer without packages to install."""
    logic = InputLogic(harness.FakeInstaller(), installed, REAL, readiness=ReadinessLogic(lambda: harness.DEVICES[1:]))
    widget = CovidSeg.CovidSegWidget(logic=CovidSeg.CovidSegLogic(input_logic=logic))
    widget.setup()
    widget.enter()
    widget.panel.sections["input"].poll_milliseconds = 20
    return widget


def main():
    """Make the pictures of the tutorial."""
    from PIL import Image
    from stand_ins.rendered_views import RenderedViews

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    views = RenderedViews(*VIEW_SIZE)
    slicer.app.layoutManager = lambda: views
    slicer.util.setSliceViewerLayers = lambda background, **_: views.show(background)
    with tempfile.TemporaryDirectory() as temporary:
        tempfile.tempdir = temporary
        widget = make_widget()
        scroll = QtWidgets.QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(widget.parent)
        scroll.resize(*PANEL_SIZE)
        scroll.show()
        reading = Reading(widget, Path(temporary), lambda: make_phantom(seed=1).volume, seconds=600)
        slicer.util.confirmOkCancelDisplay = reading.confirm
        for number, (name, act, visible) in enumerate(reading.steps(), start=1):
            act()
            if name in NOT_SHOWN:
                continue
            middle = visible.mapTo(widget.parent, qt.QPoint(0, visible.height // 2)).y()
            scroll.verticalScrollBar().setValue(middle - PANEL_SIZE[1] // 2)
            if name == "go-on":
                views.show(widget.panel.parameters.ct)
                press(widget.panel, "Shift+L")
            settle(0.3)
            panel = scroll.grab().toImage()
            panel.save(str(Path(temporary) / "panel.png"))
            beside = views.picture()
            with Image.open(Path(temporary) / "panel.png") as image:
                both = Image.new("RGB", (image.width + beside.width, beside.height))
                both.paste(image, (0, 0))
            both.paste(beside, (PANEL_SIZE[0], 0))
            both.quantize(COLOURS).save(folder / f"{number:02d}-{name}.png", optimize=True)
        widget.cleanup()
        slicer.mrmlScene.Clear(False)


if __name__ == "__main__":
    main()
