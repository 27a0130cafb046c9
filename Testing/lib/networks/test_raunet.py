"""RA-UNet: the blocks and numbers of the paper; checks of all networks are in test_every_network."""

import numpy as np
import pytest
import torch
from support.network_checks import ROWS, parameters, settle
from support.numpy_layers import conv, interpolate, norm, relu

from CovidSegLib.networks.blocks import ResidualBlock
from CovidSegLib.networks.raunet import RABlock, RAUNet, SelfAttention


def counted(residual: bool = True, attention: bool = True, positions: bool = True) -> int:
    """Parameters counted by hand, from the paper's widths; batch normalisation adds 2 for each channel."""
    widths = [16, 32, 64, 128, 256]
    total = 27 * 16 + 2 * 16
    for width in widths:
        total += 2 * (2 * 27 * width * width + 4 * width)
    for width in widths[:4]:
        total += 27 * width * 2 * width + 2 * 2 * width  # down
        total += 27 * 3 * width * width + 27 * width * width + 4 * width
        total += 3 * width * width + 2 * width if residual else 0
    if attention:
        total += 2 * 128 * 32 + 2 * 32 + 2 * 128 + 3 * 32 * 32 + 2 * 32
        total += 32 * (4 + 24 + 24) if positions else 0
    return total + 16 + 1


@pytest.mark.parametrize("arguments", ROWS["RAUNet"])
def test_the_number_of_parameters_follows_from_the_widths(arguments: dict[str, bool]) -> None:
    """The paper states no number. 13.0 million follows from its 16 to 256 channels and its blocks."""
    with torch.device("meta"):
        network = RAUNet(**arguments)
    assert parameters(network) == counted(**arguments)


def test_shapes_for_the_patch_of_the_paper() -> None:
    with torch.device("meta"):
        network, image = RAUNet(), torch.rand(1, 1, 32, 192, 192)
    seen = []
    for block in [*network.encoder, network.attention, *network.decoder]:
        block.register_forward_hook(lambda module, inputs, output: seen.append(tuple(output.shape[1:])))
    assert network(image).shape == image.shape
    levels = [(16 * 2**level, 32 // 2**level, 192 // 2**level, 192 // 2**level) for level in range(5)]
    assert seen == [*levels, levels[3], levels[3], levels[2], levels[1], levels[0]]
    assert [code.shape[2] for code in network.attention.bottleneck[2].w.values()] == [4, 24, 24]


@pytest.mark.parametrize(
    ("made_for", "sizes", "positions"),
    [
        ((2, 3, 4), (2, 3, 4), True),  # the patch of the recipe: exactly Fig. 3
        ((2, 3, 4), (3, 3, 6), True),  # another size: interpolated position code
        ((3, 4), (5, 4), True),
        ((2, 3, 4), (2, 3, 4), False),
    ],
)
def test_attention_follows_its_equation(made_for: tuple[int, ...], sizes: tuple[int, ...], positions: bool) -> None:
    """Eq. 2 and Fig. 3 as a double loop over queries and keys."""
    torch.manual_seed(0)
    channels = 4
    attention, maps = SelfAttention(channels, made_for, positions), torch.randn(1, channels, *sizes) * 2
    q, k, v = (
        conv(layer, maps[0].numpy()).reshape(channels, -1)
        for layer in (attention.query, attention.key, attention.value)
    )
    p = np.zeros((channels, *sizes))
    for axis, name in enumerate("dhw"[-len(sizes) :] if positions else ""):
        code = interpolate(attention.w[name].detach()[0].numpy(), (sizes[axis],))
        p += code.reshape(channels, *(size if axis == other else 1 for other, size in enumerate(sizes)))
    p = p.reshape(channels, -1)
    tokens = q.shape[1]
    z = np.zeros((channels, tokens))
    for i in range(tokens):
        kernel = np.array([np.exp((q[:, i] @ k[:, j] + q[:, i] @ p[:, j]) / np.sqrt(channels)) for j in range(tokens)])
        for j in range(tokens):
            z[:, i] += kernel[j] / kernel.sum() * v[:, j]
    np.testing.assert_allclose(attention(maps)[0].detach().numpy(), z.reshape(channels, *sizes), atol=1e-5)


def test_attention_in_parts_is_the_same_with_limited_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    attention, maps = SelfAttention(4, (3, 4, 5)), torch.randn(2, 4, 3, 4, 5)
    whole = attention(maps)
    sizes, original = [], torch.nn.functional.scaled_dot_product_attention

    def record_size(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        sizes.append(queries.shape[0] * queries.shape[2] * keys.shape[2])
        return original(queries, keys, values)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", record_size)
    attention.max_weights = 1000
    torch.testing.assert_close(attention(maps), whole)
    assert len(sizes) > 1 and sum(sizes) == 2 * 60 * 60 and max(sizes) <= 1000


@pytest.mark.parametrize("dims", [2, 3])
def test_ra_block_follows_its_equation(dims: int) -> None:
    torch.manual_seed(0)
    sizes = (4, 3, 2)[:dims]
    block, maps = settle(RABlock(8, sizes)), torch.randn(1, 8, *sizes)
    reduce, _, attention, normalise, _, expand = block.bottleneck
    x = maps[0].numpy()
    narrow = relu(norm(reduce[1], conv(reduce[0], x)))
    assert narrow.shape[0] == 2  # a quarter, as in ResNet50
    mixed = attention(torch.from_numpy(narrow).float()[None])[0].detach().numpy()
    f = norm(expand[1], conv(expand[0], relu(norm(normalise, mixed))))
    np.testing.assert_allclose(block(maps)[0].detach().numpy(), relu(f + x), atol=1e-5)


@pytest.mark.parametrize(("outs", "residual"), [(4, True), (6, True), (4, False)])
def test_residual_block_follows_the_figure(outs: int, residual: bool) -> None:
    torch.manual_seed(0)
    block, maps = settle(ResidualBlock(3, 4, outs, residual)), torch.randn(1, 4, 5, 4, 6)
    x = maps[0].numpy()
    first, _, second = block.convs
    f = norm(second[1], conv(second[0], relu(norm(first[1], conv(first[0], x)))))
    if residual:
        f = f + (x if outs == 4 else norm(block.shortcut[1], conv(block.shortcut[0], x)))
    np.testing.assert_allclose(block(maps)[0].detach().numpy(), relu(f), atol=1e-5)
