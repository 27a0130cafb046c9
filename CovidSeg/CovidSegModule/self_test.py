"""The module's self-test: a synthetic CT, segmented by the real child process."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod

import numpy as np
import slicer
import vtk
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

from CovidSegLib.volume import Grid, GridSpacing

from .logic.input import InputLogic
from .scene import tables
from .scene.nodes import node_ids
from .scene.segmentations import INFECTION, LUNGS


class SelfTest(ScriptedLoadableModuleTest, ABC):
    """Base of CovidSegTest. Slicer and CTest look for tests in CovidSeg.py only, so they run this class once."""

    @abstractmethod
    def create_logic(self) -> InputLogic:
        """Return the logic to test."""

    def setUp(self) -> None:
        """Clear the scene."""
        slicer.mrmlScene.Clear(False)
        self.logic = self.create_logic()

    def runTest(self) -> None:
        """Run all tests, each in an empty scene."""
        missing = self.create_logic().installer.missing()
        if missing:
            self.delayDisplay(f"Skipped. Install {', '.join(missing)} first, with the button of the panel.")
            return
        for test in (self.test_segment, self.test_cancel, self.test_unusable_input):
            self.setUp()
            self.delayDisplay(test.__doc__)
            test()
        self.delayDisplay("All tests passed.")

    def make_ct(self, hu: int | None = None) -> slicer.vtkMRMLScalarVolumeNode:
        """Create a CT node of a synthetic chest on a coarse oblique grid, under a transform.

        Args:
            hu: If given, fill the CT with this value instead.
        """
        # Imported here because it loads scipy, and Slicer imports this file when it starts.
        from CovidSegLib.phantom import make_phantom, oblique_grid

        fine = oblique_grid()
        depth, height, width = (size // 4 for size in fine.shape)
        spacing = GridSpacing(*(4 * size for size in fine.spacing))
        grid = Grid((depth, height, width), spacing, fine.origin, fine.direction)
        array = make_phantom(grid).volume.array if hu is None else np.full(grid.shape, hu, np.int16)
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Synthetic CT")
        slicer.util.updateVolumeFromArray(node, array)
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(grid.affine_ras))
        node.CreateDefaultDisplayNodes()
        rotation = vtk.vtkTransform()
        rotation.RotateWXYZ(20, 1, 1, 0)
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Position")
        transform.SetMatrixTransformToParent(rotation.GetMatrix())
        node.SetAndObserveTransformNodeID(transform.GetID())
        return node

    def test_segment(self) -> None:
        """Segment a synthetic chest."""
        ct = self.make_ct()
        result = self.logic.segment(ct, device="cpu")
        node = result.segmentation
        self.assertIs(node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()), ct)
        self.assertEqual(node.GetTransformNodeID(), ct.GetTransformNodeID())
        self.assertTrue(node.GetSegmentation().ContainsRepresentation("Closed surface"))
        shape = slicer.util.arrayFromVolume(ct).shape
        for segment_id in (*LUNGS, INFECTION):
            mask = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment_id, ct)
            self.assertEqual(mask.shape, shape)
            term = vtk.reference("")
            self.assertTrue(node.GetSegmentation().GetSegment(segment_id).GetTag("TerminologyEntry", term))
            self.assertEqual(str(term).count("~"), 6)
            if segment_id in LUNGS:
                self.assertGreater(mask.sum() * np.prod(ct.GetSpacing()) / 1000, 500, "ml of one lung")
        rows = tables.read_rows(result.table)
        self.assertEqual([row.region for row in rows], list(tables.REGIONS.values()))
        self.assertTrue(node.GetAttribute("CovidSeg.ModelSHA256"))

    def test_cancel(self) -> None:
        """Cancel a run and check that the scene is unchanged."""
        ct = self.make_ct()
        before = node_ids()
        run = self.logic.start(ct, device="cpu")
        for _ in range(5):
            run.poll()
            time.sleep(0.1)
        run.cancel()
        self.assertTrue(run.finished)
        self.assertIsNone(run.result)
        self.assertEqual(node_ids(), before)

    def test_unusable_input(self) -> None:
        """Refuse an image that is not a chest CT, with a message for the user."""
        ct = self.make_ct(hu=0)
        before = node_ids()
        with self.assertRaises(RuntimeError) as caught:
            self.logic.segment(ct, device="cpu")
        self.assertNotIn("Traceback", str(caught.exception))
        self.assertEqual(node_ids(), before)
