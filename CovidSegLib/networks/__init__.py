"""The networks that recipes can name: the published ones, one file each, and the baselines of their papers.

Every network maps images (batch, in_channels, *spatial) of any size to logits (batch, out_channels, *spatial). Networks
with deep supervision return a list of such logits in training, the final ones first; with an edge branch (Inf-Net), the
logits (batch, 1, *spatial) of the outline come last.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ..errors import InputError
from ..printable import printable
from .baselines import AttentionUNet, AutoEncoder, DynUNet, SegResNet, UNet, UNetPlusPlus, VNet
from .chsnet import CHSNet
from .covidsegnet import CovidSegNet
from .encoder_baselines import SegNetVGG16, UNetPlusPlusResNet50, UNetVGG16
from .fvpasppunet import FVPASPPUNet
from .infnet import InfNet
from .qchcunet import QCHCUNet
from .raiunet import RAIUNet
from .raunet import RAUNet

PUBLISHED: dict[str, Callable[..., nn.Module]] = {
    "QCHCUNet": QCHCUNet,
    "RAUNet": RAUNet,
    "CovidSegNet": CovidSegNet,
    "FVPASPPUNet": FVPASPPUNet,
    "RAIUNet": RAIUNet,
    "CHSNet": CHSNet,
}
BASELINES: dict[str, Callable[..., nn.Module]] = {
    "UNet": UNet,
    "AutoEncoder": AutoEncoder,
    "VNet": VNet,
    "UNetPlusPlus": UNetPlusPlus,
    "AttentionUNet": AttentionUNet,
    "SegResNet": SegResNet,
    "DynUNet": DynUNet,
    "SegNetVGG16": SegNetVGG16,
    "UNetVGG16": UNetVGG16,
    "UNetPlusPlusResNet50": UNetPlusPlusResNet50,
    "InfNet": InfNet,
}
NETWORKS = {**PUBLISHED, **BASELINES}
#: Characters of an error of torch that a message quotes.
LONGEST_REASON = 120


def build(name: str, arguments: dict[str, Any]) -> nn.Module:
    """Build an untrained network by its name in `NETWORKS`.

    Args:
        name: Name of the network.
        arguments: Arguments of its class.

    Raises:
        KeyError: There is no such network.

    Example:
        >>> import torch
        >>> build("RAIUNet", {"features": 4})(torch.zeros(1, 1, 32, 32)).shape
        torch.Size([1, 1, 32, 32])
    """
    return NETWORKS[name](**arguments)


def build_without_memory(name: str, arguments: dict[str, Any]) -> nn.Module:
    """Build a network whose parameters have a shape and no values, on torch's meta device.

    A recipe of others may describe a network of any size, or one that cannot be built.

    Args:
        name: Name of the network.
        arguments: Arguments of its class.

    Raises:
        InputError: The network cannot be built with these arguments.
    """
    try:
        with torch.device("meta"):
            return build(name, arguments)
    except Exception as error:  # networks and torch raise errors of many kinds for impossible sizes
        reason = printable(str(error).split("\n")[0][:LONGEST_REASON])
        raise InputError(
            f"The network {name} cannot be built with the arguments in the recipe ({reason}). Correct them, or choose "
            "another model."
        ) from error
