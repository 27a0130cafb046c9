"""RAIU-Net and CHS-Net: every switch, size and number that the paper names."""

from itertools import product

import numpy as np
import pytest
import torch

from CovidSegLib.networks import CHSNet, RAIUNet
from CovidSegLib.networks.raiunet import SpectralAttention
from CovidSegLib.training.loop import SegmentationLoss

SWITCHES = [
    {"inception": False, "hybrid_pooling": False, "attention": False},  # BU
    {"inception": True, "hybrid_pooling": False, "attention": False},  # BU + RIB
    {"inception": True, "hybrid_pooling": True, "attention": False},  # BU + RIB + HP
    {"inception": True, "hybrid_pooling": True, "attention": True},  # RAIU-Net
]


def parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameters_of_table_3() -> None:
    assert parameters(RAIUNet()) == pytest.approx(4.2e6, rel=0.05)
    assert parameters(CHSNet()) == pytest.approx(8.4e6, rel=0.05)


@pytest.mark.parametrize(("dims", "switches"), list(product([2, 3], SWITCHES)))
def test_any_size_comes_back_and_every_parameter_learns(dims: int, switches: dict[str, bool]) -> None:
    torch.manual_seed(0)
    network = RAIUNet(dims, in_channels=2, out_channels=3, features=8, **switches)
    logits = network(torch.rand(2, 2, *(17, 18, 19)[:dims]))
    assert logits.shape == (2, 3, *(17, 18, 19)[:dims])
    logits.square().mean().backward()
    idle = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not idle


@pytest.mark.parametrize("switches", SWITCHES)
def test_overfits_one_slice(switches: dict[str, bool]) -> None:
    torch.manual_seed(0)
    network = RAIUNet(features=8, **switches)
    image = torch.rand(1, 1, 32, 32)
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., 8:20, 10:26] = 1
    image = image * 0.3 + mask * 0.4
    optimiser, loss = torch.optim.Adam(network.parameters(), 0.01), SegmentationLoss()
    for _ in range(60):
        optimiser.zero_grad()
        loss(network(image), mask).backward()
        optimiser.step()
    found = network(image) > 0
    assert 2 * (found * mask).sum() / (found.sum() + mask.sum()) > 0.95


def test_batches_do_not_mix_and_half_precision_has_no_nan() -> None:
    torch.manual_seed(0)
    network = RAIUNet(features=8).eval()
    image = torch.rand(2, 1, 48, 48)
    torch.testing.assert_close(network(image)[1:], network(image[1:]), atol=1e-5, rtol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.isfinite(network(image)).all()


def test_exports() -> None:
    network = RAIUNet(features=4).eval()
    image = torch.rand(1, 1, 32, 32)
    torch.testing.assert_close(torch.export.export(network, (image,)).module()(image), network(image))


def test_attention_is_its_equations(rng: np.random.Generator) -> None:
    torch.manual_seed(0)
    block = SpectralAttention(2, 4, 8).eval()
    skip, deeper = torch.randn(1, 4, 6, 6), torch.randn(1, 8, 3, 3)

    def conv1(layer: torch.nn.Module, maps: np.ndarray) -> np.ndarray:
        weight = layer.weight.detach().numpy()[:, :, 0, 0]
        bias = 0 if layer.bias is None else layer.bias.detach().numpy()[:, None, None]
        return np.einsum("oc,chw->ohw", weight, maps) + bias

    def norm(layer: torch.nn.Module, maps: np.ndarray) -> np.ndarray:
        return maps / np.sqrt(1 + layer.eps)  # an untrained layer in eval: mean 0, variance 1

    def relu(maps: np.ndarray) -> np.ndarray:
        return np.maximum(maps, 0)

    f, g = skip[0].numpy(), deeper[0].numpy()
    pooled = f.mean(axis=(1, 2), keepdims=True)
    descriptor = relu(conv1(block.depth_descriptor[2], relu(conv1(block.depth_descriptor[0], pooled))))  # Eq. 8
    depth = relu(norm(block.depth_mix[1][0], conv1(block.depth_mix[0], descriptor * f)))  # Eq. 9
    depthwise = block.down[0].weight.detach().numpy()[:, 0]
    down = np.zeros((4, 3, 3))
    for row, column in product(range(3), range(3)):
        down[:, row, column] = (depth[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2] * depthwise).sum((1, 2))
    gamma = relu(norm(block.gamma[0], conv1(block.down[1], down) + conv1(block.deeper, g)))  # Eq. 10
    small = torch.from_numpy(relu(conv1(block.spatial_descriptor[0], gamma)))[None]
    spatial = torch.nn.functional.interpolate(small, scale_factor=2, mode="bilinear")[0].numpy()  # Eq. 11
    expected = norm(block.spatial_mix[1], conv1(block.spatial_mix[0], spatial * depth))  # Eq. 12
    np.testing.assert_allclose(block(skip, deeper)[0].detach().numpy(), expected, atol=1e-4)


def test_cascade_shows_the_second_network_the_lungs_alone() -> None:
    torch.manual_seed(0)
    cascade = CHSNet(features=4).eval()
    image = torch.rand(1, 1, 32, 32)
    with torch.no_grad():  # an untrained network sees lungs everywhere or nowhere
        cascade.lungs.head.bias -= cascade.lungs(image).median()
    lungs = cascade.lungs(image) > 0
    assert 0 < lungs.float().mean() < 1
    changed = torch.where(lungs, image, torch.rand_like(image))
    seen = []
    cascade.infection.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    assert cascade(image).shape == (1, 2, 32, 32)
    assert (seen[0][~lungs] == 0).all() and (seen[0][lungs] == changed[lungs]).all()
