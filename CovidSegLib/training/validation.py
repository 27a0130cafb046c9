"""How well a stage does on scans that it does not learn from, while it learns."""

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
    """Dice of a stage's structure, lungs or infection, over all known voxels of all cases together, and their pictures.

    The infection is found within the true lungs, where they are drawn and the stage needs to know them: the stage is
    measured, not the one before it.

    Args:
        name: "lungs" or "infection".
        loaded: The stage; its network is put into eval.
        cases: The scans.
        progress: Told the fraction done; may raise to cancel.

    Returns:
        Dice, and for each case its slice with most of the structure.
    """
    loaded.network.eval()
    counts, views = ConfusionMatrix(), []
    for number, case in enumerate(cases):
        here = subprogress(progress, number / len(cases), (number + 1) / len(cases))
        needed = "lungs" not in loaded.stage.finds or loaded.stage.region == "lungs"
        within = name == "infection" and needed and case.lungs_known.any()
        lungs = case.lungs if within else None
        found = predict(loaded, case.scan, lungs, here, name).of(name) >= 128
        if lungs is not None:
            found &= lungs  # as in the pipeline
        known, true = known_slices(case, loaded.stage), case.lungs if name == "lungs" else case.infection
        counts += ConfusionMatrix.of(found[known], true[known])
        views.append(SliceView.of(case.name, case.scan, true, found))
    return counts.dice, views
