"""Spectral and hybrid pooling against the equations of the paper in numpy."""

import numpy as np
import pytest
import torch

from CovidSegLib.networks.spectral import HybridPool, global_spectral_pool, low_pass_matrix, spectral_pool


def truncated_fft(image: np.ndarray, kept: tuple[int, int]) -> np.ndarray:
    """Eq. 2: transform, centre, crop to the low frequencies, transform back, with the amplitude kept."""
    spectrum = np.fft.fftshift(np.fft.fft2(image))
    low = [size // 2 - k // 2 for size, k in zip(image.shape, kept, strict=True)]
    cut = spectrum[low[0] : low[0] + kept[0], low[1] : low[1] + kept[1]]
    return np.fft.ifft2(np.fft.ifftshift(cut)).real * np.prod(kept) / image.size


def test_odd_sizes_equal_the_truncated_fft(rng: np.random.Generator) -> None:
    image = rng.normal(size=(18, 22))
    pooled = spectral_pool(torch.from_numpy(image)[None, None].float())[0, 0].numpy()
    np.testing.assert_allclose(pooled, truncated_fft(image, (9, 11)), atol=1e-5)


def test_even_sizes_equal_the_truncated_fft_except_for_the_highest_frequency(rng: np.random.Generator) -> None:
    # Both signs share the highest of an even number of frequencies, which the two may treat differently.
    image = rng.normal(size=(16, 24))
    pooled = spectral_pool(torch.from_numpy(image)[None, None].float())[0, 0].numpy()
    difference = np.fft.fft2(pooled - truncated_fft(image, (8, 12)))
    difference[4, :] = difference[:, 6] = 0
    np.testing.assert_allclose(difference, 0, atol=1e-4)


def test_three_odd_axes_equal_the_truncated_fft(rng: np.random.Generator) -> None:
    image = rng.normal(size=(18, 7, 11))
    spectrum = np.fft.fftshift(np.fft.fftn(image))
    cut = spectrum[5:14, 2:5, 3:8]  # 9, 3 and 5 around the middle
    expected = np.fft.ifftn(np.fft.ifftshift(cut)).real * cut.size / image.size
    pooled = spectral_pool(torch.from_numpy(image)[None, None].float())[0, 0].numpy()
    np.testing.assert_allclose(pooled, expected, atol=1e-5)


@pytest.mark.parametrize("sizes", [(18, 22), (18, 7, 11)])
def test_same_pooling_removes_the_upper_half_of_the_fft(sizes: tuple[int, ...], rng: np.random.Generator) -> None:
    image = rng.normal(size=sizes)
    spectrum = np.fft.fftn(image)
    for axis, size in enumerate(sizes):
        frequencies = np.abs(np.fft.fftfreq(size, 1 / size))
        shape = [-1 if axis == other else 1 for other in range(len(sizes))]
        spectrum = spectrum * (frequencies <= (size // 2 - 1) / 2).reshape(shape)
    pooled = spectral_pool(torch.from_numpy(image)[None, None].float(), same=True)[0, 0].numpy()
    np.testing.assert_allclose(pooled, np.fft.ifftn(spectrum).real, atol=1e-5)


@pytest.mark.parametrize("same", [False, True])
def test_hybrid_pooling_combines_both_poolings(same: bool) -> None:
    torch.manual_seed(0)
    pool, maps = HybridPool(2, 2, 3, same), torch.randn(1, 2, 6, 8)
    x = maps[0].numpy()
    around = np.pad(x, [(0, 0), (1, 1), (1, 1)], constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(around if same else x, [3, 3] if same else [2, 2], axis=(1, 2))
    largest = windows.max(axis=(3, 4)) if same else windows[:, ::2, ::2].max(axis=(3, 4))
    both = np.concatenate([largest, spectral_pool(maps, same=same)[0].numpy()])
    expected = np.einsum("oc,chw->ohw", pool.mix.weight.detach().numpy()[:, :, 0, 0], both)
    np.testing.assert_allclose(pool(maps)[0].detach().numpy(), expected, atol=1e-5)


def test_low_frequencies_pass_and_high_ones_are_removed() -> None:
    x = torch.arange(32.0)
    slow, fast = torch.cos(2 * torch.pi * 3 * x / 32), torch.cos(2 * torch.pi * 12 * x / 32)
    maps = (slow + fast).expand(1, 1, 32, 32)
    torch.testing.assert_close(spectral_pool(maps), slow[::2].expand(1, 1, 16, 16), atol=1e-4, rtol=0)
    torch.testing.assert_close(spectral_pool(maps, same=True), slow.expand(1, 1, 32, 32), atol=1e-4, rtol=0)


def test_half_of_the_highest_even_frequency_is_kept() -> None:
    highest = torch.cos(2 * torch.pi * 4 * torch.arange(16.0) / 16)  # 8 of 16 are kept: -3 to 3, and 4 as both signs
    maps = highest.expand(1, 1, 16, 16)
    torch.testing.assert_close(spectral_pool(maps), maps[..., ::2, ::2] / 2, atol=1e-5, rtol=0)
    torch.testing.assert_close(spectral_pool(maps, same=True), maps / 2, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [1, 2, 7, 16, 31])
def test_keeping_all_frequencies_is_the_identity(size: int) -> None:
    np.testing.assert_allclose(low_pass_matrix(size, size, size), np.eye(size), atol=1e-5)


def test_global_pooling_equals_pooling_to_one_point(rng: np.random.Generator) -> None:
    maps = torch.from_numpy(rng.normal(size=(2, 3, 8, 8))).float()
    torch.testing.assert_close(global_spectral_pool(maps), spectral_pool(maps, stride=8), atol=1e-5, rtol=0)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("same", [False, True])
def test_hybrid_pool_sizes(dims: int, same: bool) -> None:
    maps = HybridPool(dims, 3, 5, same)(torch.rand(2, 3, *[8] * dims))
    assert maps.shape == (2, 5, *[8 if same else 4] * dims)


def test_pooling_in_training_works_after_inference() -> None:
    with torch.inference_mode():
        spectral_pool(torch.rand(1, 1, 22, 26))
    maps = torch.rand(1, 1, 22, 26, requires_grad=True)
    spectral_pool(maps).sum().backward()
    assert maps.grad is not None
