"""Logic of the section "export": results as DICOM objects of the study of the CT."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import slicer

from CovidSegLib.quantification.lesion_tracking import REJECTED

from .. import messages
from ..process.export_run import Exported, ExportRun
from ..scene import follow_up_nodes
from ..scene.dicom_source import instance_uids, source_files
from ..scene.provenance import ATTRIBUTES
from ..scene.review import Reviews
from ..scene.segmentations import INFECTION, LUNGS
from ..scene.studies import patient_id
from ..scene.voxels import BoxArray
from .comparison import ComparisonLogic
from .input import InputLogic
from .lesions import LesionsLogic


class ExportLogic:
    """Export results of CTs that were loaded from Slicer's DICOM database.

    Args:
        reviews: The results of the scene.
        input_logic: Knows how to start the child process.
        comparison: Tells whether a result was edited.
        lesions: The lesions of the results.
    """

    def __init__(self, reviews: Reviews, input_logic: InputLogic, comparison: ComparisonLogic, lesions: LesionsLogic):
        self._reviews, self._input, self._edits, self._lesions = reviews, input_logic, comparison, lesions

    def ct_of(self, result: slicer.vtkMRMLSegmentationNode) -> slicer.vtkMRMLScalarVolumeNode | None:
        """Return the CT of a result, or None if it is no longer in the scene."""
        return self._reviews.of(result).ct

    def obstacle(self, result: slicer.vtkMRMLSegmentationNode) -> str:
        """Return why a result cannot be exported, for the user; empty if it can. Does not look for the files."""
        ct = self.ct_of(result)
        return "" if ct is not None and instance_uids(ct) else messages.not_from_dicom()

    def folder_in(self, parent: Path) -> Path:
        """Return a new folder for an export. Its name has the time, and no name of a patient."""
        return parent / datetime.now().strftime("CovidSeg DICOM %Y-%m-%d %H.%M.%S")

    def start(self, result: slicer.vtkMRMLSegmentationNode, folder: Path, pdf: Path | None = None) -> ExportRun:
        """Start to export a result. Call the run's `poll` regularly until it has `finished`.

        If the result was compared with an earlier CT of the database, its lesions keep the identifiers that they have
        there.

        Args:
            result: The result.
            folder: Where to, see `folder_in`.
            pdf: A PDF report to include, or None.
        """
        exported, prior = self._exported(result), self._prior(result)
        run = ExportRun(exported, folder, pdf, prior, self._input.program, self._input.create_worker())
        if exported.files:
            run.start()
        else:
            run.cancel(messages.not_in_database())
        return run

    def _exported(self, result: slicer.vtkMRMLSegmentationNode) -> Exported:
        review = self._reviews.of(result)
        provenance = json.loads(result.GetAttribute(ATTRIBUTES[3]) or "{}")
        # Without the model's own masks in the scene nobody knows, so it counts as edited.
        provenance["edited"] = not self._edits.is_available(result) or self._edits.is_edited(result)
        files = source_files(review.ct) if review.ct is not None else []
        masks = {name: review.mask(name) for name in (*LUNGS, INFECTION)}
        return Exported(review.ct, result, files, masks, self._lesion_masks(result), provenance)

    def _prior(self, result: slicer.vtkMRMLSegmentationNode) -> Exported | None:
        """Return the earlier result with which a result was compared last, if its CT is in the DICOM database."""
        for comparison in reversed(follow_up_nodes.comparisons_of(result)):
            ct = comparison.GetNodeReference(follow_up_nodes.PRIOR_ROLE)
            prior = comparison.GetNodeReference(follow_up_nodes.PRIOR_RESULT_ROLE)
            known = ct is not None and prior is not None and self.ct_of(prior) is ct and source_files(ct)
            if known and patient_id(ct) and patient_id(ct) == patient_id(self.ct_of(result)):
                return self._exported(prior)
        return None

    def add_to_database(self, folder: Path) -> None:
        """Import an export into Slicer's DICOM database, from which the module DICOM sends it to an archive."""
        from DICOMLib import DICOMUtils  # part of the application, and slow to import

        DICOMUtils.importDicom(str(folder))

    def _lesion_masks(self, result: slicer.vtkMRMLSegmentationNode) -> dict[int, BoxArray]:
        review = self._lesions.of(result)
        if review is None:
            return {}
        shown = [lesion for lesion in review.lesions() if lesion.state != REJECTED]
        return {lesion.number: BoxArray(review.tracker.mask(lesion.number), lesion.box) for lesion in shown}
