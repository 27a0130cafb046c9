"""Convert logits to probabilities of lungs and infection, for any set of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, softmax

from ..recipe import INFECTION_LABEL, LUNG_LABELS, TUMOUR_LABEL, Stage

if TYPE_CHECKING:
    import torch


def structure_arrays(
    logits: np.ndarray, stage: Stage, temperature: float = 1.0, *, each_label: bool = False
) -> np.ndarray:
    """Compute the probabilities of the structures in `stage.finds`, or of each label.

    If the labels are mutually exclusive, the probability of the lungs is the sum of those of both lungs and of the
    infection or tumour, which lies within them. The side of the lungs is determined later (see `postprocessing`).

    Args:
        logits: Output of the network (batch, labels, *spatial), float32.
        stage: The stage, which names the labels.
        temperature: Divisor of the infection's logits, or of all logits if the labels are mutually exclusive. A
            temperature above 1 moves all probabilities towards 0.5, which itself does not change (Guo et al., ICML
            2017).
        each_label: Return the probabilities of `stage.labels` instead.

    Returns:
        float32 probabilities (batch, structures or labels, *spatial).
    """
    if temperature != 1.0:
        logits = logits / _divisors(stage, temperature).reshape(1, -1, *[1] * (logits.ndim - 2))
    maps = softmax(logits, axis=1) if stage.exclusive else expit(logits)
    if each_label:
        return maps
    return np.stack([maps[:, channels].sum(axis=1).clip(0.0, 1.0) for channels in _channels(stage)], axis=1)


def structure_maps(
    logits: torch.Tensor, stage: Stage, temperature: float = 1.0, *, each_label: bool = False
) -> torch.Tensor:
    """Compute the probabilities on the device of the logits. See `structure_arrays`."""
    import torch

    logits = logits.float()
    if temperature != 1.0:
        divisors = torch.from_numpy(_divisors(stage, temperature)).to(logits.device)
        logits = logits / divisors.reshape(1, -1, *[1] * (logits.ndim - 2))
    maps = torch.softmax(logits, 1) if stage.exclusive else torch.sigmoid(logits)
    if each_label:
        return maps
    return torch.stack([maps[:, channels].sum(dim=1).clamp_(0.0, 1.0) for channels in _channels(stage)], dim=1)


def _divisors(stage: Stage, temperature: float) -> np.ndarray:
    scaled = [stage.exclusive or label == INFECTION_LABEL for label in stage.labels]
    return np.where(scaled, temperature, 1.0).astype(np.float32)


def _channels(stage: Stage) -> list[list[int]]:
    """Return the channels of the logits that each structure in `stage.finds` consists of."""
    findings = (INFECTION_LABEL, TUMOUR_LABEL)
    parts = {"lungs": [*LUNG_LABELS, *(findings if stage.exclusive else ())], **{label: [label] for label in findings}}
    return [[stage.labels.index(part) for part in parts[name] if part in stage.labels] for name in stage.finds]
