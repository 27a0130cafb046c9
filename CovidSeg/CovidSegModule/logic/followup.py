"""Logic of the section "followup": choose an earlier CT, compare, and show what has changed."""

from __future__ import annotations

import json
import zlib
from typing import Any

import numpy as np
import slicer

from ..process.follow_up_run import FollowUpRun, Scan
from ..process.follow_up_task import FollowUpTask
from ..scene import compare_views, follow_up_nodes, results, volumes
from ..scene.lesions import centre_views
from ..scene.provenance import ATTRIBUTES
from ..scene.review import Reviews
from ..scene.segmentations import INFECTION, LUNGS
from ..scene.studies import patient_id, study_date
from ..scene.voxels import BoxArray
from .comparison import ComparisonLogic
from .input import InputLogic


class FollowupLogic:
    """Compare results with earlier CTs of the same patient.

    Args:
        reviews: The results of the scene.
        input_logic: Segments earlier CTs.
        comparison: Tells whether a result was edited.
    """

    def __init__(self, reviews: Reviews, input_logic: InputLogic, comparison: ComparisonLogic):
        self._reviews, self._input, self._edits = reviews, input_logic, comparison
        #: Checksums of masks with the masks themselves, which stay the same objects until they change.
        self._checksums: dict[tuple[str, str], tuple[BoxArray, int]] = {}

    # --- what can be compared ---

    def not_offered(self, ct: slicer.vtkMRMLScalarVolumeNode | None) -> list[slicer.vtkMRMLScalarVolumeNode]:
        """Return the volumes that cannot be the earlier CT: the current CT, and parts of results."""
        return [*volumes.result_volumes(), *([ct] if ct else [])]

    def likely_prior(self, ct: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLScalarVolumeNode | None:
        """Return the latest CT of the same patient that is earlier than a CT, or None."""
        day, patient = study_date(ct), patient_id(ct)
        if day is None or not patient:
            return None
        dated = [
            (other_day, node)
            for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
            if node not in self.not_offered(ct) and patient_id(node) == patient and (other_day := study_date(node))
        ]
        before = [(other_day, node) for other_day, node in dated if other_day < day]
        return max(before, key=lambda item: item[0])[1] if before else None

    def days_between(self, ct: slicer.vtkMRMLScalarVolumeNode, prior: slicer.vtkMRMLScalarVolumeNode) -> int | None:
        """Return the days between two CTs by their study dates, negative if they are exchanged; None if unknown."""
        now, before = study_date(ct), study_date(prior)
        return (now - before).days if now and before else None

    def is_other_patient(self, ct: slicer.vtkMRMLScalarVolumeNode, prior: slicer.vtkMRMLScalarVolumeNode) -> bool:
        """Return True if both CTs state a patient ID, and not the same."""
        ids = {patient_id(ct), patient_id(prior)}
        return len(ids) == 2 and "" not in ids

    def result_of(self, ct: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLSegmentationNode | None:
        """Return the latest result on a CT, or None."""
        found = results.results_of(ct)
        return found[-1] if found else None

    def ct_of(self, result: slicer.vtkMRMLSegmentationNode) -> slicer.vtkMRMLScalarVolumeNode | None:
        """Return the CT of a result, or None if it is no longer in the scene."""
        return self._reviews.of(result).ct

    def model_of(self, result: slicer.vtkMRMLSegmentationNode, otherwise: str) -> str:
        """Return the model that made a result if it is installed, so that both CTs are segmented by the same one."""
        name = result.GetAttribute(ATTRIBUTES[1]) or ""
        return name if name in {model.name for model in self._input.models()} else otherwise

    # --- comparing ---

    def start(
        self,
        result: slicer.vtkMRMLSegmentationNode,
        prior: slicer.vtkMRMLScalarVolumeNode,
        days: int | None = None,
        model: str = "",
        device: str = "auto",
    ) -> FollowUpTask:
        """Start to compare a result with an earlier CT, which is segmented first if it has no result.

        Call the task's `poll` regularly until it has `finished`. An earlier comparison with the same CT is replaced
        when the new one is complete: see `replace_others`.

        Args:
            result: The result of the current CT.
            prior: The earlier CT.
            days: Days between the CTs; None if they are not known.
            model: Model for the earlier CT if that of the result is not installed.
            device: "auto", "cuda" or "cpu".
        """
        known = self.result_of(prior)

        def compare(made: slicer.vtkMRMLSegmentationNode | None) -> FollowUpRun:
            prior_result = made or known
            assert prior_result is not None
            before = [self.report(node) for node in self.comparisons(prior_result)]
            run = FollowUpRun(
                self._scan(result),
                self._scan(prior_result),
                days,
                before,
                self._input.program,
                self._input.create_worker(),
            )
            run.start()
            return run

        segmentation = None
        if known is None:
            segmentation = self._input.start(prior, self.model_of(result, model), device)
        return FollowUpTask(segmentation, compare)

    def finish(self, comparison: slicer.vtkMRMLSegmentationNode) -> None:
        """Remember which masks were compared, and remove earlier comparisons of the same two CTs."""
        comparison.SetAttribute(follow_up_nodes.MASKS_ATTRIBUTE, self._checksum(comparison))
        prior = comparison.GetNodeReference(follow_up_nodes.PRIOR_ROLE)
        for other in self.comparisons(comparison.GetNodeReference(follow_up_nodes.RESULT_ROLE)):
            if other is not comparison and other.GetNodeReference(follow_up_nodes.PRIOR_ROLE) is prior:
                follow_up_nodes.remove_comparison(other)

    # --- comparisons in the scene ---

    def comparisons(self, result: slicer.vtkMRMLSegmentationNode | None) -> list[slicer.vtkMRMLSegmentationNode]:
        """Return the comparisons of a result with earlier CTs."""
        return follow_up_nodes.comparisons_of(result)

    def comparison(
        self, result: slicer.vtkMRMLSegmentationNode | None, prior: slicer.vtkMRMLScalarVolumeNode | None
    ) -> slicer.vtkMRMLSegmentationNode | None:
        """Return the comparison of a result with an earlier CT; the latest one if no CT is given."""
        found = [
            node
            for node in self.comparisons(result)
            if prior is None or node.GetNodeReference(follow_up_nodes.PRIOR_ROLE) is prior
        ]
        return found[-1] if found else None

    def report(self, comparison: slicer.vtkMRMLSegmentationNode) -> dict[str, Any]:
        """Return the report of a comparison, see `CovidSegLib.followup.report_of`."""
        return follow_up_nodes.report_of(comparison)

    def is_outdated(self, comparison: slicer.vtkMRMLSegmentationNode) -> bool:
        """Return True if the masks of one of the CTs were changed after the comparison."""
        known = comparison.GetAttribute(follow_up_nodes.MASKS_ATTRIBUTE)
        return bool(known) and known != self._checksum(comparison)

    def chart(self, comparison: slicer.vtkMRMLSegmentationNode) -> slicer.vtkMRMLPlotChartNode | None:
        """Return the chart of the trend, or None if it was deleted."""
        return comparison.GetNodeReference(follow_up_nodes.CHART_ROLE)

    def fit_picture(self, comparison: slicer.vtkMRMLSegmentationNode) -> bytes | None:
        """Return the picture of the fit as PNG, or None if it was deleted."""
        return follow_up_nodes.fit_picture(comparison)

    # --- views ---

    def register_layout(self) -> None:
        """Make the layout known to Slicer."""
        compare_views.register_layout()

    def show_side_by_side(self, comparison: slicer.vtkMRMLSegmentationNode, visible: bool) -> None:
        """Show both CTs side by side in linked views, or go back to the layout before."""
        result = comparison.GetNodeReference(follow_up_nodes.RESULT_ROLE)
        ct = self._reviews.of(result).ct if result is not None else None
        if visible and ct is not None:
            compare_views.show_side_by_side(comparison, ct)
        else:
            compare_views.hide_side_by_side(comparison)

    def is_side_by_side(self, comparison: slicer.vtkMRMLSegmentationNode) -> bool:
        """Return True if the CTs of a comparison are shown side by side."""
        return compare_views.is_side_by_side(comparison)

    def restore_infection(self, result: slicer.vtkMRMLSegmentationNode) -> None:
        """Show the infection of a result again if the comparison that coloured it was hidden or deleted by hand."""
        shown = any(self.colours_are_shown(comparison) for comparison in self.comparisons(result))
        compare_views.restore_infection(result, shown)

    def show_colours(self, comparison: slicer.vtkMRMLSegmentationNode, visible: bool) -> None:
        """Show or hide the lesions in the colours of their changes."""
        compare_views.show_colours(comparison, visible)

    def colours_are_shown(self, comparison: slicer.vtkMRMLSegmentationNode) -> bool:
        """Return True if the lesions are shown in the colours of their changes."""
        return compare_views.colours_are_shown(comparison)

    def leave_views(self) -> None:
        """Go back to the layout before."""
        compare_views.hide_side_by_side(None)

    def forget(self) -> None:
        """Forget the masks, because the scene is being closed."""
        self._checksums.clear()

    def show_lesion(self, comparison: slicer.vtkMRMLSegmentationNode, lesion: dict[str, Any]) -> None:
        """Centre all views on a lesion of the report."""
        position = lesion["inside_ras_mm"]
        if position is not None:
            centre_views(follow_up_nodes.in_world(comparison, position))

    # --- parts ---

    def _scan(self, result: slicer.vtkMRMLSegmentationNode) -> Scan:
        review = self._reviews.of(result)
        provenance = json.loads(result.GetAttribute(ATTRIBUTES[3]) or "{}")
        if self._edits.is_available(result) and self._edits.is_edited(result):
            provenance["edited"] = True
        day = study_date(review.ct)
        masks = {name: review.mask(name) for name in (*LUNGS, INFECTION)}
        return Scan(review.ct, result, masks, provenance, day.isoformat() if day else None)

    def _checksum(self, comparison: slicer.vtkMRMLSegmentationNode) -> str:
        """Return a checksum of the present masks of both results."""
        values = []
        for role in (follow_up_nodes.RESULT_ROLE, follow_up_nodes.PRIOR_RESULT_ROLE):
            result = comparison.GetNodeReference(role)
            for name in (*LUNGS, INFECTION):
                mask = self._reviews.of(result).mask(name) if result is not None else None
                values.append(0 if mask is None else self._checksum_of((result.GetID(), name), mask))
        return " ".join(map(str, values))

    def _checksum_of(self, key: tuple[str, str], mask: BoxArray) -> int:
        known = self._checksums.get(key)
        if known is None or known[0] is not mask:
            start = zlib.crc32(repr(mask.box).encode())
            known = self._checksums[key] = mask, zlib.crc32(np.packbits(mask.array).tobytes(), start)
        return known[1]
