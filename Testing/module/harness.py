"""Shared by the tests of the module: a CT with known segments, the panel on it, and waiting."""

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import slicer
import vtk

FAKE_CHILD = Path(__file__).with_name("fake_child.py")
MODELS = [
    SimpleNamespace(name="chs-net", title="CHS-Net", summary="Lungs and infection, slice by slice."),
    SimpleNamespace(name="unet-3d", title="U-Net 3D", summary="Slower and smoother."),
]
#: An oblique, flipped, anisotropic grid: columns are the axes of the array in RAS.
OBLIQUE = np.array([[-0.36, 0.48, -0.8], [0.8, 0.6, 0.0], [0.48, -0.64, -0.6]])


class FakeInstaller:
    """An installer whose packages are there, or are installed by being asked to, or not."""

    def __init__(self, missing=(), problem=None):
        self.absent, self.problem, self.calls = list(missing), problem, []

    def missing(self):
        return self.absent

    def install(self):
        self.calls.append("install")
        if self.problem:
            raise self.problem
        self.absent = []

    def find_broken(self):
        self.calls.append("find_broken")
        self.absent = ["monai"]
        return self.absent


def painted():
    """int16 (z, y, x): body 40, right lung -850, left lung -851, infection in the right lung -500."""
    z, y, x = np.ogrid[:30, :48, :64]
    array = np.full((30, 48, 64), 40, np.int16)
    array[((x - 18) / 11) ** 2 + ((y - 24) / 18) ** 2 + ((z - 15) / 12) ** 2 < 1] = -850
    array[((x - 46) / 11) ** 2 + ((y - 24) / 18) ** 2 + ((z - 15) / 12) ** 2 < 1] = -851
    array[((x - 17) / 5) ** 2 + ((y - 30) / 5) ** 2 + ((z - 14) / 5) ** 2 < 1] = -500
    return array


def make_ct(name="CT", array=None, axes=OBLIQUE, spacing=(2.9, 3.1, 5.3), origin=(12.25, -41.7, -310.1)):
    """A volume node in the scene."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, painted() if array is None else array)
    node.SetIJKToRASDirections(axes.tolist())
    node.SetSpacing(spacing)
    node.SetOrigin(origin)
    node.CreateDefaultDisplayNodes()
    return node


def make_transform():
    """A rotated and shifted linear transform node."""
    transform = vtk.vtkTransform()
    transform.Translate(11, -22, 33)
    transform.RotateWXYZ(25, 1, 2, 3)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Patient position")
    node.SetMatrixTransformToParent(transform.GetMatrix())
    return node


def put_in_study(node):
    """Put a node under a patient and a study, as after loading DICOM; returns the item of the study."""
    hierarchy = subject_hierarchy()
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Patient")
    study = hierarchy.CreateStudyItem(patient, "Study")
    hierarchy.CreateItem(study, node)
    return study


def subject_hierarchy():
    """The subject hierarchy node."""
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)


def fake(mode):
    """The program that runs the fake child in a mode."""
    return [sys.executable, str(FAKE_CHILD), mode]


def wait_until(condition, seconds=30.0):
    """Let the application run until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        slicer.app.processEvents()
        time.sleep(0.01)


def finish(run):
    """Poll a run to its end."""

    def finished():
        run.poll()
        return run.finished

    wait_until(finished)
    return run


def is_running(process_id):
    """True while a process of this ID exists and is not a zombie."""
    status = Path(f"/proc/{process_id}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"
