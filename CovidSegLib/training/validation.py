"""Validation of a stage during its training."""

from __future__ import annotations

from collections.abc import Sequence

from ..data.case import Case
from ..figures.slices import SliceView
from ..inference import predict
from ..inference.loaded_stage import LoadedStage
from ..metrics.overlap import ConfusionMatrix
from ..progress import Progress, silent, subprogress
from .targets import known_slices


def validate(
    name: str, loaded: LoadedStage, cases: Sequence[Case], progress: Progress = silent
) -> tuple[float, list[SliceView]]:
    """Measure the Dice of a stage's finding over all annotated voxels of all cases together.

    The infection is predicted within the target lungs where they are annotated and the stage needs them, so that the
    stage is measured and not the one before it.

    Args:
        name: Name of the stage, "lungs" or "infection".
        loaded: The stage; its network is put into evaluation mode.
        cases: The scans.
        progress: Receives the fraction of the cases that is done; may raise `Cancelled`.

    Returns:
        Dice, and for each case a view of the slice with most of the structure.
    """
    loaded.eval()
    counts, views = ConfusionMatrix(), []
    for number, case in enumerate(cases):
        here = subprogress(progress, number / len(cases), (number + 1) / len(cases))
        needs_lungs = "lungs" not in loaded.stage.finds or loaded.stage.region == "lungs"
        within_lungs = name == "infection" and needs_lungs and case.lungs_known.any()
        lungs = case.lungs if within_lungs else None
        finding = loaded.stage.finding
        prediction = predict(loaded, case.scan, lungs, here, name).of(finding) >= 128
        if lungs is not None:
            prediction &= lungs  # same as in the pipeline
        known, target = known_slices(case, loaded.stage), case.mask(finding)
        counts += ConfusionMatrix.of(prediction[known], target[known])
        views.append(SliceView.of(case.name, case.scan, target, prediction))
    return counts.dice, views
