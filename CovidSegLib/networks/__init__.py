"""The networks that a recipe can name: the published ones, one file each, and baselines from MONAI.

Every network maps logits from images: (batch, in_channels, *spatial) to (batch, out_channels, *spatial).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from monai.networks.nets import DynUNet
from torch import nn

from .chsnet import CHSNet
from .raiunet import RAIUNet

NETWORKS: dict[str, Callable[..., nn.Module]] = {"RAIUNet": RAIUNet, "CHSNet": CHSNet, "DynUNet": DynUNet}


def build(name: str, arguments: dict[str, Any]) -> nn.Module:
    """An untrained network by its name in NETWORKS.

    Raises:
        KeyError: No such network.
    """
    return NETWORKS[name](**arguments)
