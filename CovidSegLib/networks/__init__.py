"""The networks that a recipe can name: the published ones, one file each, and baselines from MONAI.

Every network maps images (batch, in_channels, *spatial) of any size to logits (batch, out_channels, *spatial); in
training with deep supervision to a list of such, the final ones first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from .baselines import AttentionUNet, AutoEncoder, DynUNet, SegResNet, UNet, UNetPlusPlus, VNet
from .chsnet import CHSNet
from .covidsegnet import CovidSegNet
from .fvpasppunet import FVPASPPUNet
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
}
NETWORKS = {**PUBLISHED, **BASELINES}


def build(name: str, arguments: dict[str, Any]) -> nn.Module:
    """An untrained network by its name in NETWORKS.

    Raises:
        KeyError: No such network.
    """
    return NETWORKS[name](**arguments)
