"""A stage of a recipe together with its network."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn

from ..recipe import Stage


class LoadedStage(NamedTuple):
    """A stage of a recipe and its network.

    Attributes:
        stage: The stage of the recipe.
        network: The network with its weights, in evaluation mode and on its device.
        temperature: Divisor of the infection's logits that calibrates its probabilities (Guo et al., ICML 2017).
    """

    stage: Stage
    network: nn.Module
    temperature: float = 1.0
