"""RAIU-Net and CHS-Net: the blocks and numbers of the paper; checks of all networks are in test_every_network."""

from itertools import product

import numpy as np
import pytest
import torch
from support.network_checks import ROWS, parameters, settle
from support.numpy_layers import conv, interpolate, norm, relu
from torch import nn

from CovidSegLib.networks import CHSNet, RAIUNet
from CovidSegLib.networks.raiunet import InceptionConv, ResidualInceptionBlock, SpectralAttention, separable_conv
from CovidSegLib.networks.spectral import HybridPool


def counted(inception: bool, hybrid_pooling: bool, attention: bool) -> int:
    """Parameters counted by hand, from the widths and blocks; batch normalisation has 2 for each channel."""

    def separable(ins: int, outs: int, kernel: int) -> int:
        return kernel**2 * ins + ins * outs

    def incept(ins: int, outs: int) -> int:
        pooled = (2 if hybrid_pooling else 1) * ins * outs // 4
        convs = sum(separable(ins, outs // 4, kernel) for kernel in (1, 3, 5))
        return convs + pooled + 2 * outs + outs * outs + 2 * outs

    def block(ins: int, outs: int) -> int:
        if inception:
            return incept(ins, outs) + incept(outs, outs) + separable(ins, outs, 3) + 2 * outs
        return 9 * ins * outs + 2 * outs + 9 * outs * outs + 2 * outs

    def attend(c: int) -> int:
        depth = (c + 1) * c // 2 + (c // 2 + 1) * c + c * c + 2 * c  # Eqs. 8 and 9
        gamma = separable(c, 2 * c, 2) + 4 * c * c + 4 * c  # Eq. 10
        return depth + gamma + 2 * c + 1 + c * c + 2 * c  # Eqs. 11 and 12

    total = block(1, 32) + 32 + 1
    for width in (32, 64, 128, 256):
        total += block(width, 2 * width) + 4 * 2 * width * width + width + block(2 * width, width)
        total += 2 * width * width if hybrid_pooling else 0
        total += attend(width) if attention else 0
    return total


@pytest.mark.parametrize("row", ROWS["RAIUNet"])
def test_the_number_of_parameters_follows_from_the_widths(row: dict[str, bool]) -> None:
    """The rows of Tables 4 and 5; the last row has the parameters of Table 3."""
    with torch.device("meta"):
        assert parameters(RAIUNet(**row)) == counted(**row)
        assert parameters(CHSNet(**row)) == 2 * counted(**row)


def test_parameters_of_table_3() -> None:
    with torch.device("meta"):
        assert parameters(RAIUNet()) == pytest.approx(4.2e6, rel=0.05)
        assert parameters(CHSNet()) == pytest.approx(8.4e6, rel=0.05)


def test_shapes_for_the_slice_of_the_paper() -> None:
    with torch.device("meta"):
        network, image = RAIUNet(), torch.rand(1, 1, 256, 256)
    seen = []
    for block in [*network.encoder, *network.attention, *network.decoder]:
        block.register_forward_hook(lambda module, inputs, output: seen.append(tuple(output.shape[1:])))
    assert network(image).shape == image.shape
    stages = [(32 * 2**stage, 256 // 2**stage, 256 // 2**stage) for stage in range(5)]
    back = [shape for shape in stages[3::-1] for _ in range(2)]  # a refined skip connection, then its decoder block
    assert seen == [*stages, *back]


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("kernel", [3, 5])
def test_separable_convolutions_save_parameters_by_equation_1(dims: int, kernel: int) -> None:
    separable, standard = separable_conv(dims, 8, 16, kernel), (nn.Conv2d if dims == 2 else nn.Conv3d)(8, 16, kernel)
    ratio = parameters(separable) / standard.weight.numel()
    assert ratio == pytest.approx(1 / 16 + 1 / kernel**dims)


def depthwise(layer: nn.Module, maps: np.ndarray) -> np.ndarray:
    """Filter every channel with its own kernel."""
    return np.concatenate([conv(one, maps[i : i + 1]) for i, one in enumerate(split(layer))])


def split(layer: nn.Module) -> list[nn.Module]:
    """Split a depthwise convolution into one convolution for each channel."""
    singles = []
    for weight in layer.weight.detach():
        single = type(layer)(1, 1, layer.kernel_size, bias=False)
        single.weight.data = weight[None]
        singles.append(single)
    return singles


def inception(block: InceptionConv, maps: np.ndarray) -> np.ndarray:
    """Eqs. 3 and 4. The tests of spectral pooling cover the pooling itself."""
    branches = []
    for kernel, (layers, normalise) in zip((1, 3, 5), block.branches, strict=False):
        assert set(layers[0].kernel_size) == {kernel}
        branches.append(relu(norm(normalise[0], conv(layers[1], depthwise(layers[0], maps)))))
    pool, normalise = block.branches[3]
    pooled = pool(torch.from_numpy(maps)[None].float())[0].detach().numpy()
    branches.append(relu(norm(normalise[0], pooled)))
    assert {len(branch) for branch in branches} == {len(block.fuse[0].weight) // 4}
    return relu(norm(block.fuse[1][0], conv(block.fuse[0], np.concatenate(branches))))


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("hybrid", [True, False])
def test_residual_inception_block_follows_the_figure(dims: int, hybrid: bool) -> None:
    torch.manual_seed(0)
    block, maps = settle(ResidualInceptionBlock(dims, 3, 8, hybrid)), torch.randn(1, 3, *(6, 8, 5)[:dims])
    first, second = block.inception
    assert isinstance(first.branches[3][0], HybridPool) == hybrid
    x = maps[0].numpy()
    separable, normalise = block.shortcut
    expected = inception(second, inception(first, x))
    expected = expected + norm(normalise, conv(separable[1], depthwise(separable[0], x)))
    np.testing.assert_allclose(block(maps)[0].detach().numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("dims", [2, 3])
def test_attention_follows_its_equations(dims: int) -> None:
    torch.manual_seed(0)
    block, small = settle(SpectralAttention(dims, 4, 8)), (3, 2, 4)[:dims]
    sizes = tuple(2 * size for size in small)
    skip, deeper = torch.randn(1, 4, *sizes), torch.randn(1, 8, *small)
    f, g = skip[0].numpy(), deeper[0].numpy()
    pooled = f.mean(axis=tuple(range(1, dims + 1)), keepdims=True)
    descriptor = relu(conv(block.depth_descriptor[2], relu(conv(block.depth_descriptor[0], pooled))))  # Eq. 8
    depth = relu(norm(block.depth_mix[1][0], conv(block.depth_mix[0], descriptor * f)))  # Eq. 9
    filters = block.down[0].weight.detach().numpy()[:, 0]
    down = np.zeros((4, *small))
    for at in product(*map(range, small)):
        window = depth[(slice(None), *(slice(2 * i, 2 * i + 2) for i in at))]
        down[(slice(None), *at)] = (window * filters).reshape(4, -1).sum(1)
    gamma = relu(norm(block.gamma[0], conv(block.down[1], down) + conv(block.deeper, g)))  # Eq. 10
    spatial = interpolate(relu(conv(block.spatial_descriptor[0], gamma)), sizes)  # Eq. 11
    expected = norm(block.spatial_mix[1], conv(block.spatial_mix[0], spatial * depth))  # Eq. 12
    np.testing.assert_allclose(block(skip, deeper)[0].detach().numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("dims", [2, 3])
def test_attention_starts_with_positive_descriptors(dims: int) -> None:
    """A descriptor that its ReLU sets to zero everywhere could not learn."""
    torch.manual_seed(0)
    block = SpectralAttention(dims, 16, 32).eval()
    assert (block.depth_descriptor(torch.zeros(1, 16, *[1] * dims)) > 0).all()
    assert (block.spatial_descriptor(torch.rand(1, 32, *[4] * dims)) > 0).all()


@pytest.mark.parametrize("dims", [2, 3])
def test_the_second_network_of_the_cascade_only_sees_the_lungs(dims: int) -> None:
    torch.manual_seed(0)
    cascade = CHSNet(dims, features=4).eval()
    image = torch.rand(1, 1, *(32, 32, 16)[:dims])
    with torch.no_grad():  # an untrained network predicts lungs everywhere or nowhere
        cascade.lungs.head.bias -= cascade.lungs(image).median()
    lungs = cascade.lungs(image) > 0
    assert 0 < lungs.float().mean() < 1
    seen = []
    cascade.infection.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    logits = cascade(image)
    assert (seen[0][~lungs] == 0).all() and (seen[0][lungs] == image[lungs]).all()
    torch.testing.assert_close(logits, torch.cat([cascade.lungs(image), cascade.infection(image * lungs)], dim=1))
