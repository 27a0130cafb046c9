"""Optimisers and plans of the learning rate, by the names that recipes give them."""

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
    """Adam (Kingma and Ba 2015); `weight_decay` is apart from the gradient (AdamW, Loshchilov and Hutter 2019)."""
    low, high = betas  # a recipe's list
    return torch.optim.AdamW(
        parameters, lr=learning_rate, betas=(low, high), eps=eps, weight_decay=weight_decay, fused=True
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
    """Changes the learning rate: told of every step and of how each epoch did. This one leaves it constant.

    Args:
        optimiser: Whose learning rate it is.
        steps: Steps of the whole training.
    """

    def __init__(self, optimiser: torch.optim.Optimizer, steps: int) -> None:
        self.plan: Any = None

    def step(self) -> None:
        """A step was taken."""
        if self.plan is not None:
            self.plan.step()

    def epoch(self, loss: float) -> None:
        """An epoch has ended; `loss` is its mean training loss, or what else is the less the better."""

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {} if self.plan is None else self.plan.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        if self.plan is not None:
            self.plan.load_state_dict(state)


class OneCycle(Schedule):
    """Up to the optimiser's learning rate and down to nearly none, by cosines (Smith and Topin 2018).

    Args:
        rise: Share of the steps on which it rises.
    """

    def __init__(self, optimiser: torch.optim.Optimizer, steps: int, rise: float = 0.15) -> None:
        super().__init__(optimiser, steps)
        highest = optimiser.param_groups[0]["lr"]
        self.plan = lr_scheduler.OneCycleLR(optimiser, highest, total_steps=steps, pct_start=rise)


class Polynomial(Schedule):
    """Learning rate times (1 - step / steps) ** power, as nnU-Net has it."""

    def __init__(self, optimiser: torch.optim.Optimizer, steps: int, power: float = 0.9) -> None:
        super().__init__(optimiser, steps)
        self.plan = lr_scheduler.PolynomialLR(optimiser, total_iters=steps, power=power)


class InverseTime(Schedule):
    """Learning rate / (1 + decay * step), as Keras had it under the name of "decay"."""

    def __init__(self, optimiser: torch.optim.Optimizer, steps: int, decay: float = 1e-6) -> None:
        super().__init__(optimiser, steps)
        self.plan = lr_scheduler.LambdaLR(optimiser, lambda step: 1 / (1 + decay * step))


class Plateau(Schedule):
    """Learning rate times `factor` when epochs have done no better for `patience` epochs.

    Args:
        factor: What it is multiplied by.
        patience: Epochs.
        lowest: It does not fall below this.
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
        self.plan = lr_scheduler.ReduceLROnPlateau(optimiser, factor=factor, patience=patience, min_lr=lowest)

    def step(self) -> None:
        pass

    def epoch(self, loss: float) -> None:
        self.plan.step(loss)


SCHEDULES: dict[str, Callable[..., Schedule]] = {
    "constant": Schedule,
    "one-cycle": OneCycle,
    "polynomial": Polynomial,
    "inverse-time": InverseTime,
    "plateau": Plateau,
}


class EarlyStopping:
    """Says when to end: after `patience` epochs that were no better; never if None."""

    def __init__(self, patience: int | None) -> None:
        self.patience = patience
        self.lowest, self.waited = float("inf"), 0

    def epoch(self, loss: float) -> None:
        """An epoch has ended; `loss` is its mean training loss, or what else is the less the better."""
        self.waited = 0 if loss < self.lowest else self.waited + 1
        self.lowest = min(self.lowest, loss)

    @property
    def over(self) -> bool:
        """Whether training ends."""
        return self.patience is not None and self.waited >= self.patience

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {"lowest": self.lowest, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.lowest, self.waited = state["lowest"], state["waited"]


def averaged(network: nn.Module, decay: float) -> AveragedModel:
    """A copy of a network with the exponential moving average of its weights and buffers over the steps.

    After n steps the decay is (1 + n) / (10 + n) at most, as in TensorFlow's ExponentialMovingAverage: a long average
    would otherwise remember the random start of a short training.

    Args:
        network: Whose average it is.
        decay: Of the average; 0 for a copy of the last weights.
    """

    def update(averages: Tensors, current: Tensors, steps: torch.Tensor | int) -> None:
        warm = (1 + int(steps)) / (10 + int(steps))
        get_ema_multi_avg_fn(min(decay, warm))(averages, current, steps)

    return AveragedModel(network, multi_avg_fn=update, use_buffers=True)


def build_optimiser(choice: Component, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimiser that a recipe names."""
    return OPTIMISERS[choice.name](parameters, **choice.arguments)


def build_schedule(choice: Component, optimiser: torch.optim.Optimizer, steps: int) -> Schedule:
    """The plan of the learning rate that a recipe names, over `steps` steps."""
    return SCHEDULES[choice.name](optimiser, steps, **choice.arguments)
