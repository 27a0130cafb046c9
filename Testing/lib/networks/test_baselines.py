"""MONAI's networks that the papers compare with: input sizes, gradients, batches, half precision, export."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.networks import nets
from support.network_checks import boxes, idle_parameters, overfit, settle

from CovidSegLib import networks
from CovidSegLib.networks import BASELINES
from CovidSegLib.training.losses import DiceCELoss

NARROW: dict[str, dict[str, Any]] = {
    "UNet": {"features": [4, 4, 8, 8, 8, 4]},
    "AutoEncoder": {"channels": [4, 8, 8], "strides": [2, 2, 2]},
    "VNet": {},
    "UNetPlusPlus": {"features": [4, 4, 4, 4, 4, 4]},
    "AttentionUNet": {"channels": [4, 8, 8], "strides": [2, 2]},
    "SegResNet": {"init_filters": 8, "blocks_down": [1, 1, 1], "blocks_up": [1, 1]},
    "DynUNet": {"kernel_size": [3, 3, 3], "strides": [1, 2, 2], "upsample_kernel_size": [2, 2], "filters": [4, 8, 8]},
}


def build(name: str, dims: int, **more: Any) -> torch.nn.Module:
    torch.manual_seed(0)
    arguments = {"spatial_dims": dims, "in_channels": 1, "out_channels": 3, **NARROW[name], **more}
    if name == "VNet":
        arguments |= {"dropout_dim": dims, "dropout_prob_down": None, "dropout_prob_up": (None, 0.0)}
    return networks.build(name, arguments)


def test_every_baseline_is_tested() -> None:
    assert NARROW.keys() == BASELINES.keys()


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("dims", [2, 3])
def test_any_size_is_kept_and_every_parameter_has_a_gradient(name: str, dims: int) -> None:
    deep = {"deep_supervision": True} if name == "UNetPlusPlus" else {}  # otherwise three of its heads are not used
    network, sizes = build(name, dims, **deep), (17, 18, 21)[:dims]
    output = network(torch.rand(2, 1, *sizes))
    levels = output if deep else [output]
    assert {tuple(logits.shape) for logits in levels} == {(2, 3, *sizes)}
    sum(logits.square().mean() for logits in levels).backward()
    # A normalisation removes the bias of the layer before it.
    assert not [key for key in idle_parameters(network) if not key.endswith("bias")]


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("dims", [2, 3])
def test_samples_are_independent_and_half_precision_is_finite(name: str, dims: int) -> None:
    network, image = settle(build(name, dims)), torch.rand(2, 1, *[20] * dims)
    with torch.no_grad():
        torch.testing.assert_close(network(image)[1:], network(image[1:]), atol=1e-5, rtol=1e-4)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.isfinite(network(image)).all()


@pytest.mark.parametrize("name", NARROW)
def test_overfits_one_patch(name: str) -> None:
    assert overfit(build(name, 2), DiceCELoss(), *boxes((32, 32), labels=3), steps=150) > 0.95


@pytest.mark.parametrize("name", NARROW)
def test_exports(name: str) -> None:
    network, image = settle(build(name, 3)), torch.rand(1, 1, 16, 20, 16)
    torch.testing.assert_close(torch.export.export(network, (image,)).module()(image), network(image))


def test_without_padding_the_output_equals_that_of_monai() -> None:
    """The weights and their names are the same."""
    arguments = {"spatial_dims": 2, "in_channels": 1, "out_channels": 3, **NARROW["DynUNet"]}
    own, original = build("DynUNet", 2).eval(), nets.DynUNet(**arguments).eval()
    original.load_state_dict(own.state_dict())
    image = torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(own(image), original(image), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["DynUNet", "UNetPlusPlus"])
def test_deep_supervision_returns_the_final_logits_first(name: str) -> None:
    """In training a list is returned. Its first element is the output in evaluation mode."""
    network, image = build(name, 2, deep_supervision=True), torch.rand(2, 1, 36, 36)
    for module in network.modules():  # so that both modes compute the same
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm | torch.nn.modules.dropout._DropoutNd):
            module.eval()
    levels = network(image)
    assert len(levels) == {"DynUNet": 2, "UNetPlusPlus": 4}[name]
    assert {tuple(level.shape) for level in levels} == {(2, 3, 36, 36)}
    torch.testing.assert_close(network.eval()(image), levels[0], atol=1e-5, rtol=1e-4)
