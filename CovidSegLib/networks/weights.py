"""A network's weights under one name each, for safetensors, which stores no tensor twice.

Some networks register a module under two names (MONAI's DynUNet does), so that a state dict holds its tensors twice.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn


def unique_state(network: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and buffers of a network, each once, by its first name."""
    return {name: tensor.detach() for name, tensor in (*network.named_parameters(), *network.named_buffers())}


def load_unique_state(network: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """Put what `unique_state` gave, in any floating type, into a network of the same kind.

    Raises:
        ValueError: Names or shapes are not the network's.
    """
    own = unique_state(network)
    if own.keys() != state.keys():
        raise ValueError(f"the weights are of another network: {sorted(own.keys() ^ state.keys())[:4]} ...")
    with torch.no_grad():
        for name, tensor in own.items():
            if tensor.shape != state[name].shape:
                raise ValueError(f"{name} has the shape {tuple(state[name].shape)}, not {tuple(tensor.shape)}")
            tensor.copy_(state[name])


def load_fitting_state(network: nn.Module, state: Mapping[str, torch.Tensor]) -> list[str]:
    """Put what fits of the weights of a similar network into a network, as a start for its training.

    Returns:
        Names of the network's own tensors that stay as they were, since the other has none of that name and shape: the
        last layer, where the labels are others.
    """
    own = unique_state(network)
    fitting = {name for name, tensor in own.items() if name in state and state[name].shape == tensor.shape}
    with torch.no_grad():
        for name in fitting:
            own[name].copy_(state[name])
    return sorted(own.keys() - fitting)
