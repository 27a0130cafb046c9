"""What is trained: one stage of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from ..recipe import Stage, Training


@dataclass(frozen=True)
class StageTask:
    """One stage of a recipe, and how it is trained.

    Attributes:
        name: Name of the stage, "lungs" or "infection".
        stage: The network and its input.
        training: Loss, optimiser, augmentation and so on.
        seed: Seed of the initial weights, the sampler and the augmentation.
        initial_weights: Weights of a similar network. Tensors whose name and shape fit are copied before training; the
            others, or all if None, are initialised at random.
    """

    name: str
    stage: Stage
    training: Training
    seed: int = 0
    initial_weights: Mapping[str, torch.Tensor] | None = None

    @property
    def epochs(self) -> int:
        """The number of epochs, unless early stopping ends the training before."""
        return self.training.epochs[self.name]
