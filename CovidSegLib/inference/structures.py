"""From logit maps to the probabilities of lungs and infection, whatever labels a network has."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..recipe import INFECTION_LABEL, LUNG_LABELS, Stage


def structure_maps(logits: torch.Tensor, stage: Stage, temperature: float = 1.0) -> torch.Tensor:
    """Probabilities of the structures of `stage.finds`.

    Labels that exclude each other are parts of a whole: a voxel lies in the lungs with the probability of either lung
    plus that of the infection, which lies within them. Which lung it is, its place says (`postprocessing`).

    Args:
        logits: (batch, labels, *spatial).
        stage: Says what the maps stand for.
        temperature: The infection's logits are divided by it; where labels exclude each other, all are. What is half
            likely stays so; above 1 everything else comes nearer to it (Guo et al., ICML 2017).

    Returns:
        float32 (batch, structures, *spatial).
    """
    logits = logits.float()
    if temperature != 1.0:
        cooled = torch.tensor([stage.exclusive or label == INFECTION_LABEL for label in stage.labels])
        divisors = torch.where(cooled, temperature, 1.0).to(logits.device)
        logits = logits / divisors.reshape(1, -1, *[1] * (logits.ndim - 2))
    maps = torch.softmax(logits, 1) if stage.exclusive else torch.sigmoid(logits)
    parts = {"lungs": [*LUNG_LABELS, *([INFECTION_LABEL] if stage.exclusive else [])], "infection": [INFECTION_LABEL]}
    found = [_together(maps, [stage.labels.index(p) for p in parts[name] if p in stage.labels]) for name in stage.finds]
    return torch.stack(found, dim=1)


def _together(maps: torch.Tensor, channels: Sequence[int]) -> torch.Tensor:
    if len(channels) == 1:
        return maps[:, channels[0]]
    return maps[:, list(channels)].sum(dim=1).clamp_(0.0, 1.0)
