"""Everything that changes during training and is part of a checkpoint."""

from __future__ import annotations

import math
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
from ..recipe import Stage
from . import checkpoint
from .batch_step import BatchStep
from .optimisation import EarlyStopping, Schedule, averaged_copy, build_optimiser, build_schedule
from .sampler import Sample
from .task import StageTask
from .training_log import TrainingLog


@dataclass
class Learner:
    """A network in training with its optimiser.

    Attributes:
        name: Name of the stage, "lungs" or "infection".
        network: The network with the weights of the last step.
        average: Moving average of the weights.
        optimiser: Changes the weights.
        schedule: Changes the learning rate.
        early_stopping: Ends the training.
        log: The epochs so far.
        clip: Maximum L2 norm of the gradient of a step; 0 for no limit.
    """

    name: str
    network: nn.Module
    average: AveragedModel
    optimiser: torch.optim.Optimizer
    schedule: Schedule
    early_stopping: EarlyStopping
    log: TrainingLog
    clip: float

    @classmethod
    def build(cls, task: StageTask, steps: int, log: TrainingLog, device: torch.device) -> Learner:
        """Return an untrained network, or one that starts from the task's initial weights, with its optimiser.

        Args:
            task: The stage and how it is trained.
            steps: Number of optimiser steps of the whole training, for the learning-rate schedule.
            log: Receives the epochs.
            device: Device of the network.
        """
        stage, training = task.stage, task.training
        networks.build_without_memory(stage.network, stage.arguments)  # explains arguments that cannot be used
        network = networks.build(stage.network, stage.arguments)
        if task.initial_weights is not None:
            random = load_fitting_state(network, task.initial_weights)
            exceptions = ", ".join(random) or "none"
            log.log(f"{task.name}: initialised from trained weights; tensors with random weights: {exceptions}")
        network = network.to(device)
        network = network.to(memory_format=memory_layout(stage))  # type: ignore[call-overload]
        optimiser = build_optimiser(training.optimiser, network.parameters())
        return cls(
            task.name,
            network,
            averaged_copy(network, training.average),
            optimiser,
            build_schedule(training.schedule, optimiser, steps),
            EarlyStopping(training.early_stopping),
            log,
            training.clip,
        )

    @property
    def _stateful(self) -> tuple[Any, ...]:
        """The objects whose states a checkpoint holds under "parts". Their order is part of the file format."""
        return (self.network, self.average, self.optimiser, self.schedule, self.early_stopping, self.log)

    def restore(self, path: Path, step: BatchStep) -> bool:
        """Resume from a checkpoint, if there is one; return whether there is.

        Raises:
            InputError: The checkpoint is damaged.
        """
        state = checkpoint.load(path)
        if state is None:
            return False
        for each, saved in zip(self._stateful, state["parts"], strict=True):
            each.load_state_dict(saved)
        step.micro_batches = int(state["split"])
        return True

    def save(self, path: Path, step: BatchStep) -> None:
        """Write the checkpoint that `restore` reads.

        Raises:
            InputError: The disk is full or refuses access; the earlier checkpoint is unchanged.
        """
        checkpoint.save(path, {"parts": [each.state_dict() for each in self._stateful], "split": step.micro_batches})

    def train_epoch(self, batches: DataLoader[Sample], step: BatchStep, progress: Progress) -> float:
        """Take one optimiser step for each batch.

        Args:
            batches: Images and masks.
            step: Computes the gradients of a batch.
            progress: Receives the fraction of the batches that is done; may raise `Cancelled`.

        Returns:
            The mean loss.

        Raises:
            InputError: A loss or gradient is not finite, or the memory of the GPU is too small.
        """
        losses = []
        step.network.train()
        for number, (image, mask) in enumerate(batches):
            progress(f"Training {self.name}", number / len(batches))
            self.optimiser.zero_grad(set_to_none=True)
            losses.append(step(image, mask))
            norm = float(nn.utils.clip_grad_norm_(self.network.parameters(), self.clip or math.inf))
            self._check_finite(losses[-1], norm)
            self.optimiser.step()
            self.schedule.step()
            self.average.update_parameters(self.network)
        return float(np.mean(losses))

    def _check_finite(self, loss: float, gradient_norm: float) -> None:
        """Raise before the weights are spoilt. The loss alone would reveal a bad gradient only one step later."""
        if not (math.isfinite(loss) and math.isfinite(gradient_norm)):
            culprit = "gradient" if math.isfinite(loss) else "loss"
            raise InputError(
                f"In epoch {len(self.log.records) + 1} of {self.name} the {culprit} is not finite (NaN or infinity). "
                "Lower the learning rate of the recipe. The checkpoint of the previous epoch is kept."
            )

    def end_epoch(self, value: float) -> None:
        """Pass the monitored value of an epoch (lower is better) to the schedule and early stopping."""
        self.schedule.end_epoch(value)
        self.early_stopping.end_epoch(value)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return float(self.optimiser.param_groups[0]["lr"])


def memory_layout(stage: Stage) -> torch.memory_format:
    """Return the memory layout of a stage's network and images."""
    return torch.channels_last if stage.slices else torch.channels_last_3d
