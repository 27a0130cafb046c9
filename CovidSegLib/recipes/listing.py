"""How large the networks of a recipe are and what they cost, told by the networks themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from .. import networks
from ..recipe import Recipe, Stage

#: Bytes of a number in 32 bits; a parameter in training has a gradient and Adam's two averages beside it.
NUMBER, COPIES = 4, 4


@dataclass(frozen=True)
class NetworkCost:
    """What a stage's network costs, counted on its own input.

    Attributes:
        parameters: Learnable numbers.
        flops: Floating-point operations of one input, a multiplication and an addition being two; of convolutions and
            matrix products, beside which the rest is small.
        training_bytes: Memory that a training step takes in 32 bits: parameters with gradients and Adam's averages,
            and what the layers keep for the gradient of one batch. The libraries' own working memory comes on top.
    """

    parameters: int
    flops: int
    training_bytes: int


def network_cost(stage: Stage, batch: int) -> NetworkCost:
    """Count on torch's meta device, which computes shapes and no values: it takes neither time nor memory."""
    with torch.device("meta"):
        network = networks.build(stage.network, stage.arguments)
        image = torch.empty(1, *stage.input_shape)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(image)
    kept = parameters * COPIES * NUMBER + batch * _kept_for_gradient(network.train(), image)
    return NetworkCost(parameters, counter.get_total_flops(), kept)


def _kept_for_gradient(network: nn.Module, image: torch.Tensor) -> int:
    """Bytes of what a forward pass keeps for the gradient of one input, parameters apart, each storage once."""
    own = {parameter.untyped_storage()._cdata for parameter in network.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage  # held, so that its address is not given to another
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        network(image)
    return sum(storage.nbytes() for storage in kept.values())


def describe(recipe: Recipe) -> str:
    """A recipe in a few lines: what it is, where it comes from, and what each of its networks costs."""
    lines = [f"{recipe.name}: {recipe.title}. {recipe.summary}", f"    {recipe.source}"]
    for name, stage in recipe.stages.items():
        seen = " x ".join(map(str, stage.input_shape[1:]))
        what = network_cost(stage, recipe.training.batch)
        lines.append(
            f"    {name}: {stage.network}, {what.parameters / 1e6:.1f} M parameters, "
            f"{_short(what.flops)}FLOPs for {seen}, about {what.training_bytes / 1e9:.1f} GB to train with batches of "
            f"{recipe.training.batch}"
        )
    if recipe.lungs_from is not None:
        lines.append(f"    lungs: those of the model {recipe.lungs_from}")
    return "\n".join(lines)


def _short(number: float) -> str:
    """Three digits and a prefix: 1.23 T."""
    power = min(max(int(math.log10(max(number, 1)) // 3), 0), 4)
    return f"{number / 1000**power:.3g} {['', 'k', 'M', 'G', 'T'][power]}"
