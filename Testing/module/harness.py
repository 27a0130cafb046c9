"""Helpers for the tests of the module: nodes with known contents, the fake child process, and clicks on the panel."""

import contextlib
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import fake_child
import numpy as np
import qt
import slicer
import vtk
from PySide6.QtTest import QTest
from pytest import MonkeyPatch

import CovidSeg
from CovidSegLib.cli import main
from CovidSegLib.cli.interrupts import Interrupts
from CovidSegLib.cli.reporter import Reporter
from CovidSegLib.cli.session import Session
from CovidSegLib.outputs.terminology import SEGMENTS
from CovidSegModule.logic.input import InputLogic
from CovidSegModule.logic.readiness import ReadinessLogic
from CovidSegModule.process.devices import Device
from CovidSegModule.process.run import Run
from CovidSegModule.process.worker import ChildProcess
from CovidSegModule.scene import tables
from CovidSegModule.scene.review import add_original, add_probability
from CovidSegModule.scene.voxels import BoxArray, set_segment_voxels, whole

FAKE_CHILD = Path(__file__).with_name("fake_child.py")
MODELS = [
    SimpleNamespace(name="chs-net", title="CHS-Net", summary="Lungs and infection, slice by slice."),
    SimpleNamespace(name="unet-3d", title="U-Net 3D", summary="Slower and smoother."),
]
DEVICES = [Device("cuda:0", "NVIDIA RTX 4000", 6144), Device("cpu", "CPU, 8 cores")]
#: An oblique, flipped, anisotropic grid. Columns are the axes of the array in RAS.
OBLIQUE = np.array([[-0.36, 0.48, -0.8], [0.8, 0.6, 0.0], [0.48, -0.64, -0.6]])


# --- nodes ---


def painted():
    """int16 (z, y, x): body 40, right lung -850, left lung -851, infection in the right lung -500."""
    z, y, x = np.ogrid[:30, :48, :64]
    array = np.full((30, 48, 64), 40, np.int16)
    array[((x - 18) / 11) ** 2 + ((y - 24) / 18) ** 2 + ((z - 15) / 12) ** 2 < 1] = -850
    array[((x - 46) / 11) ** 2 + ((y - 24) / 18) ** 2 + ((z - 15) / 12) ** 2 < 1] = -851
    array[((x - 17) / 5) ** 2 + ((y - 30) / 5) ** 2 + ((z - 14) / 5) ** 2 < 1] = -500
    return array


def make_ct(name="CT", array=None, axes=OBLIQUE, spacing=(2.9, 3.1, 5.3), origin=(12.25, -41.7, -310.1)):
    """Add a volume node to the scene, by default with the array that `painted` returns."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, painted() if array is None else array)
    node.SetIJKToRASDirections(axes.tolist())
    node.SetSpacing(spacing)
    node.SetOrigin(origin)
    node.CreateDefaultDisplayNodes()
    return node


def ct_of(volume, name):
    """Add a `Volume` of the library to the scene."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, volume.array)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(volume.grid.affine_ras))
    node.CreateDefaultDisplayNodes()
    return node


def several_lesions():
    """Like `painted`, with three more lesions: two in the right lung and one in the left."""
    array = painted()
    z, y, x = np.ogrid[:30, :48, :64]
    for lung, (cx, cy, cz, radius) in ((-850, (20, 14, 18, 4)), (-850, (14, 20, 8, 2)), (-851, (46, 24, 15, 3))):
        array[((x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2 < radius**2) & (array == lung)] = -500
    return array


def make_colour_image(name="photo"):
    """Add a volume node with three components per voxel to the scene."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    image = vtk.vtkImageData()
    image.SetDimensions(6, 5, 4)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 3)
    node.SetAndObserveImageData(image)
    return node


def make_transform():
    """Add a linear transform node with a rotation and a translation to the scene."""
    transform = vtk.vtkTransform()
    transform.Translate(11, -22, 33)
    transform.RotateWXYZ(25, 1, 2, 3)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Patient position")
    node.SetMatrixTransformToParent(transform.GetMatrix())
    return node


def put_in_study(node):
    """Put a node under a patient and a study, as after loading DICOM. Return the item of the study."""
    hierarchy = subject_hierarchy()
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Patient")
    study = hierarchy.CreateStudyItem(patient, "Study")
    hierarchy.CreateItem(study, node)
    return study


def subject_hierarchy():
    """Return the subject hierarchy node."""
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)


def make_result(ct):
    """Return a result as a run of the fake child process adds it to the scene, but at once and without a table.

    The segmentation holds the masks that `painted` marks. Its other nodes are in the scene as well.
    Infection beyond the middle of the array belongs to the left lung.
    """
    array = slicer.util.arrayFromVolume(ct)
    infection = array == -500
    beyond = np.arange(array.shape[2]) >= array.shape[2] // 2
    right, left = (array == -850) | (infection & ~beyond), (array == -851) | (infection & beyond)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{ct.GetName()} infection")
    node.CreateDefaultDisplayNodes()
    node.SetAndObserveTransformNodeID(ct.GetTransformNodeID())
    node.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    masks = {"right_lung": right, "left_lung": left, "infection": infection}
    for segment in SEGMENTS:
        mask = masks[segment.identifier]
        set_segment_voxels(node, segment.identifier, BoxArray(mask, whole(mask.shape)), ct)
        node.GetSegmentation().GetSegment(segment.identifier).SetColor(segment.color)  # Slicer's own are random
    node.CreateClosedSurfaceRepresentation()
    probability = fake_child.probability_of(infection, (right | left).astype(np.uint8))
    add_original(node, ct)
    add_probability(node, ct, BoxArray(probability, whole(probability.shape)))
    return node


def put_in_dated_study(node, patient, date):
    """Put a node under the study of a date, with a patient ID, as after loading DICOM."""
    hierarchy, names = subject_hierarchy(), slicer.vtkMRMLSubjectHierarchyConstants
    subject = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Patient")
    hierarchy.SetItemAttribute(subject, names.GetDICOMPatientIDAttributeName(), patient)
    study = hierarchy.CreateStudyItem(subject, "Study")
    hierarchy.SetItemAttribute(study, names.GetDICOMStudyDateAttributeName(), date)
    hierarchy.CreateItem(study, node)


def later_lesions():
    """Like `several_lesions`, at a later time: one lesion has grown, one is gone, one is new, one is the same."""
    array = several_lesions()
    z, y, x = np.ogrid[:30, :48, :64]
    array[((x - 14) ** 2 + (y - 20) ** 2 + (z - 8) ** 2 < 9) & (array == -500)] = -850
    for lung, (cx, cy, cz, radius) in ((-851, (46, 24, 15, 4)), (-851, (46, 34, 20, 2))):
        array[((x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2 < radius**2) & (array == lung)] = -500
    return array


def add_lobes(ct):
    """Add a segmentation of the lobes with the names of TotalSegmentator, divided at two heights."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Lobes")
    array = slicer.util.arrayFromVolume(ct)
    z, x = np.arange(array.shape[0])[:, None, None], np.arange(array.shape[2])
    for name, low, high, right in (
        ("lung_upper_lobe_right", 0, 10, True),
        ("lung_middle_lobe_right", 10, 16, True),
        ("lung_lower_lobe_right", 16, 30, True),
        ("lung_upper_lobe_left", 0, 12, False),
        ("lung_lower_lobe_left", 12, 30, False),
    ):
        mask = (array < 0) & (z >= low) & (z < high) & ((x < array.shape[2] // 2) == right)
        set_segment_voxels(node, name, BoxArray(mask, whole(mask.shape)), ct)
    return node


def edit(review, segment_id, mask):
    """Replace a mask of the whole grid as Slicer's Segment Editor does, not through the `Review`."""
    set_segment_voxels(review.segmentation, segment_id, BoxArray(mask, whole(mask.shape)), review.ct)


def infection_ml(review):
    """Return the volume of the infection."""
    mask = review.mask("infection")
    return float(mask.array.sum() * review.grid.voxel_ml) if mask else 0.0


# --- logic and runs ---


class FakeInstaller:
    """An installer that installs nothing.

    Args:
        missing: Names of the packages that are missing until `install` is called.
        problem: Exception that `install` raises.
    """

    def __init__(self, missing=(), problem=None):
        self.absent, self.problem, self.calls, self.damaged = list(missing), problem, [], []

    def missing(self):
        return self.absent

    def install(self):
        self.calls.append("install")
        if self.problem:
            raise self.problem
        self.absent = self.damaged = []

    def install_from_folder(self, folder):
        self.calls.append(("install_from_folder", folder))
        self.install()

    def cancel(self):
        self.calls.append("cancel")

    def find_broken(self):
        self.calls.append("find_broken")
        self.absent = self.damaged = ["monai"]
        return self.absent

    def broken(self):
        return self.damaged


class FailingWorker:
    """A worker that records its command and fails at once."""

    def __init__(self):
        self.command, self.exit_code, self.error_output = None, None, ""

    def start(self, command, folder):
        self.command, self.exit_code = command, 1

    def poll(self):
        return []

    def stop(self):
        pass


class DirectWorker(ChildProcess):
    """Compares two CTs in this process, as the fake child process does, but without its start. Runs everything else."""

    def __init__(self):
        super().__init__()
        self._code = None

    @property
    def exit_code(self):
        return super().exit_code if self._code is None else self._code

    def start(self, command, folder):
        if command[2:4] != ["done", "follow-up"]:
            super().start(command, folder)
            return
        with contextlib.chdir(folder), MonkeyPatch.context() as patch:
            fake_child.skip_registration(patch.setattr)
            options = main._parser().parse_args(command[3:])
            options.run(Session(options, Reporter(), Interrupts()))
        self._code = 0


def make_logic(**options):
    """Return the logic of the module with two models, all packages installed, and the fake child process."""
    options = {
        "installer": FakeInstaller(),
        "list_models": lambda: MODELS,
        "program": fake("done"),
        "readiness": ReadinessLogic(lambda: DEVICES),
        **options,
    }
    return CovidSeg.CovidSegLogic(input_logic=InputLogic(**options))


def fake(mode):
    """Return the program that runs the fake child process in a mode."""
    return [sys.executable, str(FAKE_CHILD), mode]


def start_run(ct, mode, **options):
    """Start to segment a CT with the fake child process."""
    run = Run(ct, program=fake(mode), **options)
    run.start()
    return run


def finish(run):
    """Poll a run until it is finished."""

    def finished():
        run.poll()
        return run.finished

    wait_until(finished)
    return run


def segment_ct(ct):
    """Segment a CT with the fake child process and return the result."""
    run = finish(start_run(ct, "done"))
    assert run.error is None
    return run.result


def wait_until(condition, seconds=30.0):
    """Let the application process events until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not become true in time"
        slicer.app.processEvents()
        time.sleep(0.01)


def is_running(process_id):
    """Return True if a process with this ID exists and is not a zombie."""
    status = Path(f"/proc/{process_id}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


# --- the panel ---


def click(button):
    """Click a button with the left mouse button. The sensitive part of a check box is on its left."""
    place = qt.QPoint(8, button.height // 2) if isinstance(button, qt.QCheckBox) else qt.QPoint()
    QTest.mouseClick(button, qt.Qt.LeftButton, qt.Qt.NoModifier, place)


def current_run(panel):
    """Return the current run of a panel, or None."""
    return panel.sections["input"].run


def start(panel, mode):
    """Press the button of a panel, with the fake child process in a mode."""
    panel.sections["input"].logic.program = fake(mode)
    click(panel.ui.applyButton)


def started_process(panel):
    """Wait until the child process of a panel's run has started, and return it."""
    worker = current_run(panel)._worker
    wait_until(lambda: worker._process is not None)
    return worker._process


def segment(panel, mode="done"):
    """Press the button of a panel and wait until the run is over."""
    start(panel, mode)
    wait_until(lambda: current_run(panel) is None)


def shown(widget):
    """Return True if a widget is visible in its window."""
    return widget.isVisibleTo(widget.window())


def column(panel, index):
    """Return the texts in a column of the results table."""
    table = panel.ui.resultsTable
    return [table.item(row, index).text() for row in range(table.rowCount)]


def show_result(panel, ct=None):
    """Show a result in a panel without a run, and wait until it is counted. Return its segmentation node."""
    ct = ct or make_ct()
    node = make_result(ct)
    tables.add_table([], node, ct)
    panel.parameters.ct, panel.parameters.result = ct, node
    wait_until(lambda: panel.sections["numbers"].logic.is_ready(node))
    slicer.app.processEvents()
    return node


def press(panel, key):
    """Press a key in the window of a panel: "D", "Shift+N"."""
    window = panel.widget.window()
    window.activateWindow()
    sequence = qt.QKeySequence(key)
    QTest.keySequence(window, sequence)
    slicer.app.processEvents()


def settle(seconds=0.2):
    """Let the application process events for a while, so that sections follow an edit.

    The number of rounds matters on a busy computer, where one round may take as long as all should.
    """
    end = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < end or rounds < 100 * seconds:
        slicer.app.processEvents()
        time.sleep(0.01)
        rounds += 1
