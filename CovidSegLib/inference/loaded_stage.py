"""A stage of a recipe with its network."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn

from ..recipe import Stage


class LoadedStage(NamedTuple):
    """A stage of a recipe and its network, in eval and on its device.

    Attributes:
        stage: What it sees and finds.
        network: With its weights.
        temperature: By which its logits of the infection are divided, so that its probabilities mean what they say.
    """

    stage: Stage
    network: nn.Module
    temperature: float = 1.0
