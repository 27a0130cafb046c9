"""The average of the weights: an exponential one that warms up."""

from __future__ import annotations

import torch
from torch import nn

from CovidSegLib.training.optimisation import averaged


def averages(decay: float, weights: list[float]) -> list[float]:
    """The average after each of these weights."""
    network = nn.Linear(1, 1, bias=False)
    average, found = averaged(network, decay), []
    for weight in weights:
        network.weight.data.fill_(weight)
        average.update_parameters(network)
        found.append(average.module.weight.item())
    return found


def test_the_average_warms_up() -> None:
    """The first weights are taken as they are; then the decay is (1 + n) / (10 + n) until it is the recipe's."""
    found = averages(0.2, [5.0, 1.0, 2.0, 2.0])
    second = 5.0 * 2 / 11 + 1.0 * 9 / 11
    third = second * 0.2 + 2.0 * 0.8  # 3 / 12 is more
    torch.testing.assert_close(found, [5.0, second, third, third * 0.2 + 2.0 * 0.8])


def test_a_start_is_soon_forgotten() -> None:
    assert abs(averages(0.999, [100.0] + [0.0] * 60)[-1]) < 0.01


def test_without_a_decay_the_average_is_the_last() -> None:
    assert averages(0.0, [5.0, 1.0, 7.0]) == [5.0, 1.0, 7.0]
