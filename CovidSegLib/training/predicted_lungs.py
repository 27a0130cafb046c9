"""Cases with the lungs that a network predicts, to train the infection network as it is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..data.case import Case
from ..inference import LoadedStage, predict
from ..postprocessing import lungs_from_probability
from ..progress import Progress, subprogress


def with_predicted_lungs(cases: Sequence[Case], loaded: LoadedStage, progress: Progress) -> list[Case]:
    """Replace the lung masks of cases by those that a lung stage predicts, post-processed but without `lung_limits`.

    Args:
        cases: The cases. Their other masks stay as they are.
        loaded: The lung stage; its network is put into evaluation mode.
        progress: Receives the fraction of the cases that is done; may raise `Cancelled`.
    """
    loaded.eval()
    replaced = []
    for number, case in enumerate(cases):
        here = subprogress(progress, number / len(cases), (number + 1) / len(cases))
        probability = predict(loaded, case.scan, None, here, f"Finding the lungs of {case.name}").of("lungs")
        lungs = lungs_from_probability(probability, case.scan.spacing, case.scan.hu) > 0
        masks = {name: mask for name, mask in case.masks.items() if name not in ("right_lung", "left_lung")}
        known = {**case.known, "lungs": case.known_slices("infection")}
        replaced.append(replace(case, masks={**masks, "lungs": lungs}, known=known))
    return replaced
