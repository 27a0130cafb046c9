"""Optimisers and learning-rate schedules, by the names that recipes use."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import lr_scheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ..recipe import Component

Tensors = tuple[torch.Tensor, ...] | list[torch.Tensor]


def adam(
    parameters: Iterable[nn.Parameter],
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> torch.optim.Optimizer:
    """Adam (Kingma and Ba 2015) with decoupled `weight_decay` (AdamW, Loshchilov and Hutter 2019)."""
    beta1, beta2 = betas  # a list if it comes from a recipe
    return torch.optim.AdamW(
        parameters, lr=learning_rate, betas=(beta1, beta2), eps=eps, weight_decay=weight_decay, fused=True
    )


def sgd(
    parameters: Iterable[nn.Parameter],
    learning_rate: float,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> torch.optim.Optimizer:
    """Stochastic gradient descent with momentum."""
    return torch.optim.SGD(
        parameters, lr=learning_rate, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay
    )


OPTIMISERS: dict[str, Callable[..., torch.optim.Optimizer]] = {"adam": adam, "sgd": sgd}


class Schedule:
    """A learning-rate schedule. This one is constant; the subclasses change the rate after steps or epochs.

    Args:
        optimiser: The optimiser whose learning rate is changed.
        steps: Number of optimiser steps of the whole training.
    """

    def __init__(self, optimiser: torch.optim.Optimizer, steps: int) -> None:
        self.scheduler: Any = None

    def step(self) -> None:
        """Update the learning rate after an optimiser step."""
        if self.scheduler is not None:
            self.scheduler.step()

    def end_epoch(self, value: float) -> None:
        """Update the learning rate after an epoch.

        Args:
            value: The monitored value (lower is better): the training loss, or 1 - validation Dice.
        """

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {} if self.scheduler is None else self.scheduler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state)


class OneCycle(Schedule):
    """Cosine rise to the optimiser's learning rate, then cosine fall to almost zero (Smith and Topin 2018).

    Args:
        optimiser: The optimiser whose learning rate is changed.
        steps: Number of optimiser steps of the whole training.
        rise: Fraction of the steps during which the learning rate rises.
    """

    def __init__(self, optimiser: torch.optim.Optimizer, steps: int, rise: float = 0.15) -> None:
        super().__init__(optimiser, steps)
        maximum = optimiser.param_groups[0]["lr"]
        self.scheduler = lr_scheduler.OneCycleLR(optimiser, maximum, total_steps=steps, pct_start=rise)


class Polynomial(Schedule):
    """Learning rate * (1 - step / steps) ** power, as in nnU-Net."""

    def __init__(self, optimiser: torch.optim.Optimizer, steps: int, power: float = 0.9) -> None:
        super().__init__(optimiser, steps)
        self.scheduler = lr_scheduler.PolynomialLR(optimiser, total_iters=steps, power=power)


class InverseTime(Schedule):
    """Learning rate / (1 + decay * step), the "decay" of earlier Keras optimisers."""

    def __init__(self, optimiser: torch.optim.Optimizer, steps: int, decay: float = 1e-6) -> None:
        super().__init__(optimiser, steps)
        self.scheduler = lr_scheduler.LambdaLR(optimiser, lambda step: 1 / (1 + decay * step))


class Plateau(Schedule):
    """Multiply the learning rate by `factor` after `patience` epochs without improvement.

    Args:
        optimiser: The optimiser whose learning rate is changed.
        steps: Number of optimiser steps of the whole training; not used.
        factor: Factor of the learning rate.
        patience: Number of epochs without improvement.
        lowest: Minimum learning rate.
    """

    def __init__(
        self,
        optimiser: torch.optim.Optimizer,
        steps: int,
        factor: float = 0.1,
        patience: int = 10,
        lowest: float = 0.0,
    ) -> None:
        super().__init__(optimiser, steps)
        self.scheduler = lr_scheduler.ReduceLROnPlateau(optimiser, factor=factor, patience=patience, min_lr=lowest)

    def step(self) -> None:
        pass

    def end_epoch(self, value: float) -> None:
        self.scheduler.step(value)


SCHEDULES: dict[str, Callable[..., Schedule]] = {
    "constant": Schedule,
    "one-cycle": OneCycle,
    "polynomial": Polynomial,
    "inverse-time": InverseTime,
    "plateau": Plateau,
}


class EarlyStopping:
    """Stops the training after `patience` epochs without improvement; never if `patience` is None."""

    def __init__(self, patience: int | None) -> None:
        self.patience = patience
        self.lowest, self.waited = float("inf"), 0

    def end_epoch(self, value: float) -> None:
        """Take the monitored value of an epoch; lower is better."""
        self.waited = 0 if value < self.lowest else self.waited + 1
        self.lowest = min(self.lowest, value)

    @property
    def should_stop(self) -> bool:
        """Whether the training ends."""
        return self.patience is not None and self.waited >= self.patience

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"lowest": self.lowest, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self.lowest, self.waited = state["lowest"], state["waited"]


def averaged_copy(network: nn.Module, decay: float) -> AveragedModel:
    """Return a copy of a network that holds the exponential moving average of its weights and buffers.

    After n steps the decay is at most (1 + n) / (10 + n), as in TensorFlow's ExponentialMovingAverage. Otherwise a long
    average would remember the random initial weights in a short training.

    Args:
        network: The network in training.
        decay: Decay of the average; 0 for a copy of the last weights.
    """

    def update(averages: Tensors, current: Tensors, steps: torch.Tensor | int) -> None:
        warm_up = (1 + int(steps)) / (10 + int(steps))
        get_ema_multi_avg_fn(min(decay, warm_up))(averages, current, steps)

    return AveragedModel(network, multi_avg_fn=update, use_buffers=True)


def build_optimiser(component: Component, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Return the optimiser that a recipe names."""
    return OPTIMISERS[component.name](parameters, **component.arguments)


def build_schedule(component: Component, optimiser: torch.optim.Optimizer, steps: int) -> Schedule:
    """Return the learning-rate schedule that a recipe names, for a training of `steps` optimiser steps."""
    return SCHEDULES[component.name](optimiser, steps, **component.arguments)
