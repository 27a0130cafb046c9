"""The weights of a network with one name each, for safetensors, which does not store a tensor twice.

Some networks register a module under two names (MONAI's DynUNet does), so that their state dict contains its tensors
twice.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn


def unique_state(network: nn.Module) -> dict[str, torch.Tensor]:
    """Return the parameters and buffers of a network, each once under its first name."""
    return {name: tensor.detach() for name, tensor in (*network.named_parameters(), *network.named_buffers())}


def load_unique_state(network: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """Copy a state from `unique_state`, in any floating-point type, into a network of the same kind.

    Raises:
        ValueError: Names or shapes differ from those of the network.
    """
    check_state_fits(network, state)
    with torch.no_grad():
        for name, tensor in unique_state(network).items():
            tensor.copy_(state[name])


def check_state_fits(network: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """Check that a state from `unique_state` is of the same kind of network, which may be on torch's meta device.

    Raises:
        ValueError: Names or shapes differ from those of the network.
    """
    own = unique_state(network)
    if own.keys() != state.keys():
        raise ValueError(f"the weights are of another network: {sorted(own.keys() ^ state.keys())[:4]} ...")
    for name, tensor in own.items():
        if tensor.shape != state[name].shape:
            raise ValueError(f"{name} has the shape {tuple(state[name].shape)}, not {tuple(tensor.shape)}")


def load_fitting_state(network: nn.Module, state: Mapping[str, torch.Tensor]) -> list[str]:
    """Copy the tensors that fit from the weights of a similar network, as a start for training.

    Args:
        network: The network whose weights are set.
        state: Weights of the other network, from `unique_state`.

    Returns:
        Names of the network's tensors that are not changed, as `state` has none with that name and shape: typically the
        last layer, if the labels differ.
    """
    own = unique_state(network)
    fitting = {name for name, tensor in own.items() if name in state and state[name].shape == tensor.shape}
    with torch.no_grad():
        for name in fitting:
            own[name].copy_(state[name])
    return sorted(own.keys() - fitting)
