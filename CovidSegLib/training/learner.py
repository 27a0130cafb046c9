"""A network with all that changes while it learns, which is what a checkpoint holds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from .. import networks
from ..errors import InputError
from ..networks.weights import load_fitting_state
from ..progress import Progress
from ..recipe import Stage, Training
from . import checkpoint
from .batch_step import BatchStep
from .optimisation import EarlyStopping, Schedule, averaged, build_optimiser, build_schedule
from .sampler import Sample
from .training_log import TrainingLog


@dataclass
class Learner:
    """What learns, and how far it has come.

    Attributes:
        name: "lungs" or "infection", of the stage.
        network: With the weights of the last step.
        average: Their moving average.
        optimiser, schedule, stopping: What moves them, how fast, and until when.
        journal: The epochs so far.
        clip: Longest that the gradient of a step may be.
    """

    name: str
    network: nn.Module
    average: AveragedModel
    optimiser: torch.optim.Optimizer
    schedule: Schedule
    stopping: EarlyStopping
    journal: TrainingLog
    clip: float

    @classmethod
    def build(
        cls,
        name: str,
        stage: Stage,
        training: Training,
        steps: int,
        journal: TrainingLog,
        device: torch.device,
        start: Mapping[str, torch.Tensor] | None = None,
    ) -> Learner:
        """A network that has learnt nothing yet, or what another one has.

        Args:
            name: "lungs" or "infection", of the stage.
            stage: The network and what it sees.
            training: How it is trained.
            steps: Of all epochs together, for the plan of the learning rate.
            journal: Takes the epochs.
            device: Where.
            start: Weights of a similar network to start from, as far as they fit.
        """
        network = networks.build(stage.network, stage.arguments)
        if start is not None:
            anew = load_fitting_state(network, start)
            journal.log(f"{name}: starts from other weights, but for {', '.join(anew) or 'none'}")
        network = network.to(device)
        network = network.to(memory_format=memory_layout(stage))  # type: ignore[call-overload]
        optimiser = build_optimiser(training.optimiser, network.parameters())
        return cls(
            name,
            network,
            averaged(network, training.average),
            optimiser,
            build_schedule(training.schedule, optimiser, steps),
            EarlyStopping(training.early_stopping),
            journal,
            training.clip,
        )

    @property
    def _parts(self) -> tuple[Any, ...]:
        return (self.network, self.average, self.optimiser, self.schedule, self.stopping, self.journal)

    def restore(self, path: Path, step: BatchStep) -> bool:
        """Go on from a checkpoint, if there is one; whether there is.

        Raises:
            InputError: It is damaged.
        """
        state = checkpoint.load(path)
        if state is None:
            return False
        for each, saved in zip(self._parts, state["parts"], strict=True):
            each.load_state_dict(saved)
        step.parts = int(state["split"])
        return True

    def save(self, path: Path, step: BatchStep) -> None:
        """Write the checkpoint that `restore` reads.

        Raises:
            InputError: The disk is full, or may not be written; the earlier checkpoint is as it was.
        """
        checkpoint.save(path, {"parts": [each.state_dict() for each in self._parts], "split": step.parts})

    def learn(self, batches: DataLoader[Sample], step: BatchStep, progress: Progress) -> float:
        """One epoch: a step for each batch.

        Args:
            batches: (images, masks).
            step: Puts the gradients of a batch into the network.
            progress: Told the fraction done; may raise to cancel.

        Returns:
            The mean loss.

        Raises:
            InputError: A loss or gradient is no number; the memory of the GPU is too small.
        """
        losses = []
        step.network.train()
        for number, (image, mask) in enumerate(batches):
            progress(f"Training {self.name}", number / len(batches))
            self.optimiser.zero_grad(set_to_none=True)
            losses.append(step(image, mask))
            length = float(nn.utils.clip_grad_norm_(self.network.parameters(), self.clip))
            if not (math.isfinite(losses[-1]) and math.isfinite(length)):
                raise InputError(
                    f"In epoch {len(self.journal.rows) + 1} of {self.name} the "
                    f"{'gradient' if math.isfinite(losses[-1]) else 'loss'} is no number any more; lower the learning "
                    "rate of the recipe. The checkpoint of the epoch before is kept."
                )
            self.optimiser.step()
            self.schedule.step()
            self.average.update_parameters(self.network)
        return float(np.mean(losses))

    def told(self, loss: float) -> None:
        """Let plan and early stopping know of an epoch's loss, or of what else is the less the better."""
        self.schedule.epoch(loss)
        self.stopping.epoch(loss)

    @property
    def learning_rate(self) -> float:
        """Of the next step."""
        return float(self.optimiser.param_groups[0]["lr"])


def memory_layout(stage: Stage) -> torch.memory_format:
    """In which a stage's network and images lie in memory."""
    return torch.channels_last if stage.slices else torch.channels_last_3d
