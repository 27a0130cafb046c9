"""Masks as the papers report them: what the networks return, without post-processing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..data.case import Case
from ..inference import LoadedStage, predict_labels
from ..progress import Progress, subprogress
from ..recipe import BACKGROUND, INFECTION_LABEL, LUNG_LABELS, TUMOUR_LABEL, Stage

#: Probability from which a label is predicted if labels do not exclude each other, of 255.
HALF = 128
Masks = dict[str, np.ndarray]


def predict_as_published(
    case: Case, stages: Mapping[str, LoadedStage], *, own_lungs: bool, target_lungs: bool, progress: Progress
) -> tuple[Masks, np.ndarray]:
    """Predict a case without post-processing: the most probable label, or a probability of at least 0.5.

    Args:
        case: The case.
        stages: The stages of a model, from `models.loading.load_stages`.
        own_lungs: The lung stage belongs to the system: it is measured, not only used.
        target_lungs: Stages that look within the lungs are given those of the case, if it has any.
        progress: Receives the fraction that is done. May raise `Cancelled`.

    Returns:
        Boolean masks by structure: the finding, and the lungs and their sides if the networks predict them; and the
        uint8 probability of the finding.
    """
    last, masks = stages["infection"], Masks()
    needs_lungs = last.stage.region == "lungs" or last.stage.mask_margin_mm is not None
    lungs = case.lungs if target_lungs and case.lungs_known.any() else None
    if "lungs" in stages and (own_lungs or (needs_lungs and lungs is None)):
        predicted, _ = _predict(stages["lungs"], case, None, subprogress(progress, 0.0, 0.4))
        masks |= predicted if own_lungs else {}
        lungs = predicted["lungs"] if lungs is None else lungs
    found, probability = _predict(last, case, lungs if needs_lungs else None, subprogress(progress, 0.4, 1.0))
    return {**masks, **found}, probability


def _predict(loaded: LoadedStage, case: Case, lungs: np.ndarray | None, progress: Progress) -> tuple[Masks, np.ndarray]:
    """Return the masks of a stage, and the probability of its finding."""
    stage = loaded.stage
    maps = predict_labels(loaded._replace(temperature=1.0), case.scan, lungs, progress, f"Predicting {case.name}")
    if stage.exclusive:
        chosen = np.argmax(np.stack(list(maps.values())), axis=0)
        by_label = {label: chosen == index for index, label in enumerate(stage.labels)}
    else:
        by_label = {label: probability >= HALF for label, probability in maps.items()}
    return structure_masks(by_label, stage), maps.get(stage.finding, np.zeros(case.scan.shape, dtype=np.uint8))


def structure_masks(by_label: Mapping[str, np.ndarray], stage: Stage) -> Masks:
    """Return masks of structures from masks of the labels of a stage.

    Exclusive labels of the lungs leave out the infection or tumour in them; the structure "lungs" includes it, like the
    lung masks of the data sets. The sides are the labels themselves.
    """
    masks = {label: mask for label, mask in by_label.items() if label != BACKGROUND}
    if "lungs" in stage.finds:
        parts = [*LUNG_LABELS, *([INFECTION_LABEL, TUMOUR_LABEL] if stage.exclusive else [])]
        masks["lungs"] = np.any([by_label[part] for part in parts if part in by_label], axis=0)
    return masks
