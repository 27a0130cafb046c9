"""QC-HC U-Net: the blocks and numbers of the paper; checks of all networks are in test_every_network."""

from itertools import product

import numpy as np
import pytest
import torch
from support.network_checks import ROWS, parameters, settle
from support.numpy_layers import conv, interpolate, norm, relu

from CovidSegLib.networks.qchcunet import Hypercolumns, QCHCUNet, QuickDecoderBlock, QuickEncoderBlock


def counted(quick: bool, hypercolumns: bool, labels: int) -> int:
    """Parameters counted by hand, from the paper's widths; batch normalisation adds 2 for each channel."""
    widths = [32, 64, 128, 256, 512]
    total = 7**3 * 32 + 32 if quick else 0
    for width, below in zip(widths, [1, *widths], strict=False):
        total += 27 * (width if quick else below) * width + 27 * width * width + 4 * width
    for width, skip, deeper in zip(widths[:4], (64, 128, 256, 512), (64, 128, 256, 1024), strict=True):
        skip, deeper = (skip, deeper) if quick else (width, 2 * width)
        total += 8 * deeper * width + width
        total += 27 * (skip + width) * width + 27 * width * width + 4 * width
        total += (skip + width) * width + 2 * width if quick else 0
    return total + labels * (sum(widths[:4]) if hypercolumns else 32) + labels


@pytest.mark.parametrize(("arguments", "labels"), list(product(ROWS["QCHCUNet"], [2, 4])))
def test_the_number_of_parameters_follows_from_the_widths(arguments: dict[str, bool], labels: int) -> None:
    """The paper states no number. 31.0 million, and 22.6 million in the 3D U-Net, follow from its widths."""
    with torch.device("meta"):
        network = QCHCUNet(out_channels=labels, **arguments)
    assert parameters(network) == counted(arguments["quick_connection"], arguments["hypercolumns"], labels)


def test_shapes_for_the_patch_of_the_paper() -> None:
    with torch.device("meta"):
        network, image = QCHCUNet(), torch.rand(1, 1, 160, 160, 80)
    seen = []
    for block in [*network.encoder, *network.decoder]:
        block.register_forward_hook(lambda module, inputs, output: seen.append(tuple(output.shape[1:])))
    assert network(image).shape == (1, 4, 160, 160, 80)
    grids = [(160, 160, 80), (80, 80, 40), (40, 40, 20), (20, 20, 10), (10, 10, 5)]
    down = [(2 * width, *grid) for width, grid in zip((32, 64, 128, 256, 512), grids, strict=True)]
    up = [(width, *grid) for width, grid in zip((256, 128, 64, 32), grids[3::-1], strict=True)]
    assert seen == down + up


def test_quick_connection_of_the_encoder_follows_the_figure() -> None:
    torch.manual_seed(0)
    block, maps = settle(QuickEncoderBlock(3, 3)), torch.randn(1, 3, 4, 5, 6)
    x = maps[0].numpy()
    first = norm(block.first[1], conv(block.first[0], x))
    last = norm(block.last[1], conv(block.last[0], relu(first)))
    expected = np.concatenate([relu(last + first + x), x])
    np.testing.assert_allclose(block(maps)[0].detach().numpy(), expected, atol=1e-5)


def test_quick_connection_of_the_decoder_follows_the_figure() -> None:
    torch.manual_seed(0)
    block, maps = settle(QuickDecoderBlock(3, 5, 2)), torch.randn(1, 5, 4, 5, 6)
    x = maps[0].numpy()
    first = norm(block.first[1], conv(block.first[0], x))
    last = norm(block.last[1], conv(block.last[0], relu(first)))
    expected = relu(last + first + norm(block.shortcut[1], conv(block.shortcut[0], x)))
    np.testing.assert_allclose(block(maps)[0].detach().numpy(), expected, atol=1e-5)


def test_the_first_convolution_learns_if_the_last_has_no_gradient() -> None:
    """The purpose of the quick connection: "if the gradient of the subsequent Conv is close to zero"."""
    block = QuickEncoderBlock(2, 3)
    torch.nn.init.zeros_(block.last[0].weight)
    block(torch.randn(2, 3, 6, 6)).square().mean().backward()
    assert block.first[0].weight.grad.abs().sum() > 0


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("switches", ROWS["QCHCUNet"])
def test_each_level_of_the_decoder_receives_the_maps_of_the_encoder(switches: dict[str, bool], dims: int) -> None:
    """The skip connections come first, the upsampled maps after them."""
    network, encoded, joined = QCHCUNet(dims, features=2, **switches), [], []
    for block in network.encoder:
        block.register_forward_hook(lambda module, inputs, output: encoded.append(output))
    for block in network.decoder:
        block.register_forward_pre_hook(lambda module, inputs: joined.append(inputs[0]))
    network(torch.rand(2, 1, *[16] * dims))
    assert (len(encoded), len(joined)) == (5, 4)
    for skip, both in zip(encoded[3::-1], joined, strict=True):
        assert skip.abs().sum() > 0
        torch.testing.assert_close(both[:, : skip.shape[1]], skip, rtol=0, atol=0)
        assert both[:, skip.shape[1] :].abs().sum() > 0


@pytest.mark.parametrize("dims", [2, 3])
def test_hypercolumns_follow_their_equations(dims: int) -> None:
    """Eqs. 4 and 7 in their order: all maps are upsampled to one vector for each voxel, which is classified."""
    torch.manual_seed(0)
    widths, sizes = (2, 3, 5), (8, 12, 4)[:dims]
    head = Hypercolumns(dims, widths, out_channels=4)
    levels = [torch.randn(1, width, *(size // 2**j for size in sizes)) for j, width in enumerate(widths)]
    columns = np.concatenate([interpolate(maps[0].numpy(), sizes) for maps in levels])
    w = np.concatenate([layer.weight.detach().numpy().reshape(4, -1) for layer in head.classifiers], axis=1)
    expected = np.einsum("oc,c...->o...", w, columns) + head.classifiers[0].bias.detach().numpy().reshape(
        4, *[1] * dims
    )
    np.testing.assert_allclose(head(levels)[0].detach().numpy(), expected, atol=1e-5)
