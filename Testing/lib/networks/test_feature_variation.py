"""The FV block and its branches against their equations in numpy (Yan et al. 2020, Eqs. 1 to 4)."""

import numpy as np
import pytest
import torch
from support.network_checks import parameters, settle
from support.numpy_layers import conv, conv_norm_relu, norm, relu, sigmoid
from torch import nn

from CovidSegLib.networks.feature_variation import (
    ChannelAttention,
    ContrastEnhancement,
    FeatureVariation,
    PositionSensitive,
)

SIZES = (5, 4, 3)


def sample(dims: int, channels: int) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.randn(2, channels, *SIZES[:dims])


def contrast(block: nn.Module, maps: np.ndarray) -> np.ndarray:
    """Eqs. 2 and 3, with the two fully connected layers of Fig. 4 by Lin and Huang."""
    first, _, last, _ = block.weights
    average = maps.mean(axis=tuple(range(1, maps.ndim)), keepdims=True)  # GAP
    weight = sigmoid(conv(last, relu(conv(first, average))))
    assert weight.shape == (1, *[1] * (maps.ndim - 1))  # F_g is one number
    return np.broadcast_to(weight, (maps.shape[0], *weight.shape[1:])) * maps  # F'_g, Eq. 3


def excitation(block: nn.Module, maps: np.ndarray) -> np.ndarray:
    """Squeeze and excitation (Hu et al. 2018, Eqs. 2 to 4; Fig. 5 by Lin and Huang)."""
    w1, w2 = (block.weights[i].weight.detach().numpy().reshape(-1, n) for i, n in ((0, len(maps)), (2, len(maps) // 2)))
    b1, b2 = (block.weights[i].bias.detach().numpy() for i in (0, 2))
    z = maps.reshape(len(maps), -1).mean(axis=1)
    s = sigmoid(w2 @ relu(w1 @ z + b1) + b2)
    return np.stack([weight * channel for weight, channel in zip(s, maps, strict=True)])


def position(block: nn.Module, maps: np.ndarray) -> np.ndarray:
    """Eq. 4: two convolutions with ReLU and sigmoid, and the product."""
    first, last, last_norm, _ = block.attention
    attention = sigmoid(norm(last_norm, conv(last, conv_norm_relu(first, maps))))
    assert attention.shape == maps.shape
    return attention * maps


REFERENCES = {ContrastEnhancement: contrast, ChannelAttention: excitation, PositionSensitive: position}
KINDS = {
    "CAB": [excitation],
    "CEB": [contrast],
    "PSB": [position],
    "FV": [contrast, position],
    "CE": [contrast, position],
    "SE": [excitation, position],
}


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("branch", REFERENCES)
def test_branches_follow_their_equations(dims: int, branch: type[nn.Module]) -> None:
    torch.manual_seed(0)
    block, maps = settle(branch(dims, 8)), sample(dims, 8)
    output = block(maps).detach().numpy()
    for each in range(2):
        np.testing.assert_allclose(output[each], REFERENCES[branch](block, maps[each].numpy()), atol=1e-5)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_feature_variation_follows_equation_1(dims: int, kind: str) -> None:
    torch.manual_seed(0)
    block, maps = settle(FeatureVariation(dims, 8, kind)), sample(dims, 8)
    output = block(maps).detach().numpy()
    for each in range(2):
        sample_maps = maps[each].numpy()
        reduced = conv_norm_relu(block.reduce, sample_maps)  # Fv_1
        branches = [reference(branch, reduced) for reference, branch in zip(KINDS[kind], block.branches, strict=True)]
        expected = sample_maps + conv_norm_relu(block.fuse, np.concatenate([*branches, reduced]))
        np.testing.assert_allclose(output[each], expected, atol=1e-4)


def test_cov_3_on_one_voxel_equals_the_fully_connected_layer() -> None:
    torch.manual_seed(0)
    layer = ContrastEnhancement(3, 8).weights[0]
    cov3 = nn.Conv3d(8, 4, 3, padding=1)
    cov3.bias.data, cov3.weight.data[:, :, 1, 1, 1] = layer.bias.data, layer.weight.data[:, :, 0, 0, 0]
    average = torch.randn(2, 8, 1, 1, 1)
    torch.testing.assert_close(cov3(average), layer(average))


@pytest.mark.parametrize(("branch", "weights"), [(ContrastEnhancement, 1), (ChannelAttention, 64)])
def test_parameters_of_the_channel_branches(branch: type[nn.Module], weights: int) -> None:
    assert parameters(branch(3, 64)) == (64 + 1) * 32 + (32 + 1) * weights  # r = 2, two layers with bias
