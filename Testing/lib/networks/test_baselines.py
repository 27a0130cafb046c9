"""The networks that the papers compare with: input sizes, gradients, batches, half precision, export."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.networks import nets
from support.network_checks import boxes, idle_parameters, overfit, parameters, settle
from torch import nn

from CovidSegLib import networks
from CovidSegLib.networks import BASELINES
from CovidSegLib.networks.encoders import Bottleneck
from CovidSegLib.networks.infnet import ReverseAttention
from CovidSegLib.recipe import Component
from CovidSegLib.training.losses import build_loss, outline_of

NARROW: dict[str, dict[str, Any]] = {
    "UNet": {"features": [4, 4, 8, 8, 8, 4]},
    "AutoEncoder": {"channels": [4, 8, 8], "strides": [2, 2, 2]},
    "VNet": {},
    "UNetPlusPlus": {"features": [4, 4, 4, 4, 4, 4]},
    "AttentionUNet": {"channels": [4, 8, 8], "strides": [2, 2]},
    "SegResNet": {"init_filters": 8, "blocks_down": [1, 1, 1], "blocks_up": [1, 1]},
    "SegNetVGG16": {"features": 4},
    "UNetVGG16": {"features": 4, "attention": True},
    "UNetPlusPlusResNet50": {"features": 4},
    "InfNet": {"features": 4},
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
    levels = output if isinstance(output, list) else [output]
    maps = levels[:-1] if name == "InfNet" else levels
    assert {tuple(logits.shape) for logits in maps} == {(2, 3, *sizes)}
    assert name != "InfNet" or levels[-1].shape == (2, 1, *sizes), "the outline"
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
    size = (96, 96) if name == "InfNet" else (32, 32)  # its finest map has an eighth of the resolution
    network = build(name, 2)
    assert overfit(network, build_loss(Component("dice-ce"), 0.5, network), *boxes(size, labels=3), steps=150) > 0.95


@pytest.mark.slow
def test_the_edge_branch_of_inf_net_finds_outlines() -> None:
    network = build("InfNet", 2)
    image, mask = boxes((96, 96), labels=3)
    loss, optimiser = build_loss(Component("dice-ce"), 0.25, network), torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(150):
        optimiser.zero_grad()
        loss(network(image), mask).backward()
        optimiser.step()
    edge, outline = torch.sigmoid(network(image)[-1].detach()), outline_of(mask)
    # Its features have a quarter of the resolution.
    assert float(edge[outline].mean()) > 0.5 > 0.2 > float(edge[~outline].mean())


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


@pytest.mark.parametrize(
    ("name", "arguments", "ours", "table_3"),
    [
        ("SegNetVGG16", {}, 29.5, 29.4),
        ("UNetVGG16", {}, 21.8, 21.7),
        ("UNetVGG16", {"attention": True}, 22.2, 22.0),
        ("UNetPlusPlusResNet50", {}, 35.7, 37.6),
        ("InfNet", {}, 31.0, 33.0),
    ],
)
def test_baselines_with_encoders_have_about_the_parameters_of_chs_net_s_table_3(
    name: str, arguments: dict[str, Any], ours: float, table_3: float
) -> None:
    with torch.device("meta"):
        network = networks.build(name, arguments)
    assert parameters(network) / 1e6 == pytest.approx(ours, abs=0.06)
    assert ours == pytest.approx(table_3, rel=0.07)


def test_segnet_puts_the_maxima_back_where_they_were() -> None:
    """Where the finest level of the decoder has values, the encoder had the maximum of its window of 2 x 2."""
    network = networks.build("SegNetVGG16", {"features": 2}).eval()
    seen = {}
    network.encoder[0].register_forward_hook(lambda *given: seen.update(encoded=given[2]))
    network.decoder[0].register_forward_pre_hook(lambda _, given: seen.update(unpooled=given[0]))
    network(torch.rand(1, 1, 64, 64))
    filled = seen["unpooled"] != 0
    largest = torch.nn.functional.max_pool2d(seen["encoded"], 2).repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert filled.sum() > 100 and torch.equal(seen["encoded"][filled], largest[filled])


def test_reverse_attention_looks_where_nothing_has_been_found() -> None:
    """Eq. 2 of Inf-Net: where the deeper map is certain, the features of the level are hidden."""
    block = ReverseAttention(2, 3, 4, 2, 1, 3)
    seen = {}
    block.reduce.register_forward_pre_hook(lambda _, given: seen.update(given=given[0]))
    deeper = torch.full((1, 1, 4, 4), -20.0)
    deeper[..., :2] = 20.0
    block(torch.ones(1, 3, 8, 8), deeper, torch.zeros(1, 2, 16, 16))
    assert float(seen["given"][..., :3].abs().max()) < 1e-3 and float(seen["given"][..., 5:].min()) > 0.999


@pytest.mark.parametrize(("stride", "depends"), [(1, True), (2, False)])
def test_res2net_passes_each_group_to_the_next(stride: int, depends: bool) -> None:
    """The third group sees the first one, but not in the first block of a level."""
    block = Bottleneck(2, 16, 4, 16, stride, scale=4).eval()
    seen = {}
    block.convs[2].register_forward_pre_hook(lambda _, given: seen.update(given=given[0]))
    block.reduce = nn.Identity()  # the groups are four channels of the input each
    image = torch.rand(1, 16, 8, 8)
    changed = image.clone()
    changed[:, :4] += 1
    maps = []
    for each in (image, changed):
        block(each)
        maps.append(seen["given"])
    assert torch.equal(*maps) is not depends


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
