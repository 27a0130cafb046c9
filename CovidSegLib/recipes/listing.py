"""Size and cost of a recipe's networks, measured on the networks themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from .. import networks
from ..recipe import Recipe, Stage

#: Bytes of a float32 number.
FLOAT32_BYTES = 4
#: Numbers for each parameter in training: the parameter, its gradient and the two averages of Adam.
NUMBERS_PER_PARAMETER = 4


@dataclass(frozen=True)
class NetworkCost:
    """Cost of a stage's network for its own input size.

    Attributes:
        parameters: Number of trainable parameters.
        flops: Floating-point operations for one input. A multiplication and an addition count as two. Only convolutions
            and matrix products are counted, as the rest is small.
        training_bytes: Memory of a float32 training step: parameters, gradients, Adam's averages, and what the layers
            keep for the gradients of one batch. The working memory of the libraries comes on top.
    """

    parameters: int
    flops: int
    training_bytes: int


def network_cost(stage: Stage, batch: int) -> NetworkCost:
    """Measure the cost of a stage's network on torch's meta device, without computing anything.

    Args:
        stage: The stage.
        batch: Batch size of the training.
    """
    network = networks.build_without_memory(stage.network, stage.arguments)
    image = torch.empty(1, *stage.input_shape, device="meta")
    parameters = sum(parameter.numel() for parameter in network.parameters())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(image)
    parameter_bytes = parameters * NUMBERS_PER_PARAMETER * FLOAT32_BYTES
    training_bytes = parameter_bytes + batch * _bytes_kept_for_gradient(network.train(), image)
    return NetworkCost(parameters, counter.get_total_flops(), training_bytes)


def _bytes_kept_for_gradient(network: nn.Module, image: torch.Tensor) -> int:
    """Return the bytes that a forward pass keeps for the gradients of one input, without the parameters."""
    own = {parameter.untyped_storage()._cdata for parameter in network.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage  # the reference keeps the address from being reused
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        network(image)
    return sum(storage.nbytes() for storage in kept.values())


def describe(recipe: Recipe) -> str:
    """Return a few lines about a recipe: title, summary, source, and the cost of each network."""
    lines = [f"{recipe.name}: {recipe.title}. {recipe.summary}", f"    {recipe.source}"]
    for name, stage in recipe.stages.items():
        size = " x ".join(map(str, stage.input_shape[1:]))
        cost = network_cost(stage, recipe.training.batch)
        lines.append(
            f"    {name}: {stage.network}, {cost.parameters / 1e6:.1f} M parameters, "
            f"{_with_prefix(cost.flops)}FLOPs for {size}, about {cost.training_bytes / 1e9:.1f} GB for training with "
            f"batches of {recipe.training.batch}"
        )
    if recipe.lungs_from is not None:
        lines.append(f"    lungs: from the model {recipe.lungs_from}")
    return "\n".join(lines)


def _with_prefix(number: float) -> str:
    """Return a number with three digits and an SI prefix, such as "1.23 T"."""
    power = min(max(int(math.log10(max(number, 1)) // 3), 0), 4)
    return f"{number / 1000**power:.3g} {['', 'k', 'M', 'G', 'T'][power]}"
