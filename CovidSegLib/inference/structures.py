"""Convert logits to probabilities of lungs and infection, for any set of labels."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..recipe import INFECTION_LABEL, LUNG_LABELS, TUMOUR_LABEL, Stage


def structure_maps(
    logits: torch.Tensor, stage: Stage, temperature: float = 1.0, *, each_label: bool = False
) -> torch.Tensor:
    """Compute the probabilities of the structures in `stage.finds`, or of each label.

    If the labels are mutually exclusive, the probability of the lungs is the sum of those of both lungs and of the
    infection or tumour, which lies within them. The side of the lungs is determined later (see `postprocessing`).

    Args:
        logits: Output of the network (batch, labels, *spatial).
        stage: The stage, which names the labels.
        temperature: Divisor of the infection's logits, or of all logits if the labels are mutually exclusive. A
            temperature above 1 moves all probabilities towards 0.5, which itself does not change (Guo et al., ICML
            2017).
        each_label: Return the probabilities of `stage.labels` instead.

    Returns:
        float32 probabilities (batch, structures or labels, *spatial).
    """
    logits = logits.float()
    if temperature != 1.0:
        scaled = torch.tensor([stage.exclusive or label == INFECTION_LABEL for label in stage.labels])
        divisors = torch.where(scaled, temperature, 1.0).to(logits.device)
        logits = logits / divisors.reshape(1, -1, *[1] * (logits.ndim - 2))
    maps = torch.softmax(logits, 1) if stage.exclusive else torch.sigmoid(logits)
    if each_label:
        return maps
    findings = (INFECTION_LABEL, TUMOUR_LABEL)
    parts = {"lungs": [*LUNG_LABELS, *(findings if stage.exclusive else ())], **{label: [label] for label in findings}}
    structures = [
        _sum_channels(maps, [stage.labels.index(part) for part in parts[name] if part in stage.labels])
        for name in stage.finds
    ]
    return torch.stack(structures, dim=1)


def _sum_channels(maps: torch.Tensor, channels: Sequence[int]) -> torch.Tensor:
    if len(channels) == 1:
        return maps[:, channels[0]]
    return maps[:, list(channels)].sum(dim=1).clamp_(0.0, 1.0)
