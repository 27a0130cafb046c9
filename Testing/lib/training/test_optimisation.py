"""The exponential moving average of the weights and its warm-up."""

from __future__ import annotations

import torch
from torch import nn

from CovidSegLib.training.optimisation import averaged_copy


def averages(decay: float, weights: list[float]) -> list[float]:
    """Return the average after each of these weights."""
    network = nn.Linear(1, 1, bias=False)
    average, values = averaged_copy(network, decay), []
    for weight in weights:
        network.weight.data.fill_(weight)
        average.update_parameters(network)
        values.append(average.module.weight.item())
    return values


def test_the_average_warms_up() -> None:
    """The first weights are copied; then the decay is (1 + n) / (10 + n), up to the decay of the recipe."""
    values = averages(0.2, [5.0, 1.0, 2.0, 2.0])
    second = 5.0 * 2 / 11 + 1.0 * 9 / 11
    third = second * 0.2 + 2.0 * 0.8  # the warm-up allows 3 / 12
    torch.testing.assert_close(values, [5.0, second, third, third * 0.2 + 2.0 * 0.8])


def test_initial_weights_are_soon_forgotten() -> None:
    assert abs(averages(0.999, [100.0] + [0.0] * 60)[-1]) < 0.01


def test_without_decay_the_average_is_the_last_weights() -> None:
    assert averages(0.0, [5.0, 1.0, 7.0]) == [5.0, 1.0, 7.0]
