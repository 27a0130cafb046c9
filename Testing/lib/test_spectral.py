"""Spectral and hybrid pooling against a plain numpy reading of the paper."""

import numpy as np
import pytest
import torch

from CovidSegLib.networks.spectral import HybridPool, global_spectral_pool, low_pass_matrix, spectral_pool


def truncated_fft(image: np.ndarray, kept: tuple[int, int]) -> np.ndarray:
    """Eq. 2 as it is read: transform, centre, cut out the low frequencies, transform back; amplitude kept."""
    spectrum = np.fft.fftshift(np.fft.fft2(image))
    low = [size // 2 - k // 2 for size, k in zip(image.shape, kept, strict=True)]
    cut = spectrum[low[0] : low[0] + kept[0], low[1] : low[1] + kept[1]]
    return np.fft.ifft2(np.fft.ifftshift(cut)).real * np.prod(kept) / image.size


def test_odd_sizes_are_the_truncated_fft(rng: np.random.Generator) -> None:
    image = rng.normal(size=(18, 22))
    pooled = spectral_pool(torch.from_numpy(image)[None, None].float())[0, 0].numpy()
    np.testing.assert_allclose(pooled, truncated_fft(image, (9, 11)), atol=1e-5)


def test_even_sizes_are_the_truncated_fft_without_its_highest_frequency(rng: np.random.Generator) -> None:
    # The highest of an even number of frequencies is shared by both signs: there the readings may differ.
    image = rng.normal(size=(16, 24))
    pooled = spectral_pool(torch.from_numpy(image)[None, None].float())[0, 0].numpy()
    difference = np.fft.fft2(pooled - truncated_fft(image, (8, 12)))
    difference[4, :] = difference[:, 6] = 0
    np.testing.assert_allclose(difference, 0, atol=1e-4)


def test_a_slow_wave_passes_and_a_fast_one_is_removed() -> None:
    x = torch.arange(32.0)
    slow, fast = torch.cos(2 * torch.pi * 3 * x / 32), torch.cos(2 * torch.pi * 12 * x / 32)
    maps = (slow + fast).expand(1, 1, 32, 32)
    torch.testing.assert_close(spectral_pool(maps), slow[::2].expand(1, 1, 16, 16), atol=1e-4, rtol=0)
    torch.testing.assert_close(spectral_pool(maps, same=True), slow.expand(1, 1, 32, 32), atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [1, 2, 7, 16, 31])
def test_nothing_removed_is_the_identity(size: int) -> None:
    torch.testing.assert_close(low_pass_matrix(size, size, size), torch.eye(size), atol=1e-5, rtol=0)


def test_global_pooling_is_pooling_to_one_point(rng: np.random.Generator) -> None:
    maps = torch.from_numpy(rng.normal(size=(2, 3, 8, 8))).float()
    torch.testing.assert_close(global_spectral_pool(maps), spectral_pool(maps, stride=8), atol=1e-5, rtol=0)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("same", [False, True])
def test_hybrid_pool_sizes(dims: int, same: bool) -> None:
    maps = HybridPool(dims, 3, 5, same)(torch.rand(2, 3, *[8] * dims))
    assert maps.shape == (2, 5, *[8 if same else 4] * dims)


def test_what_was_pooled_at_inference_can_be_pooled_in_training() -> None:
    with torch.inference_mode():
        spectral_pool(torch.rand(1, 1, 22, 26))
    maps = torch.rand(1, 1, 22, 26, requires_grad=True)
    spectral_pool(maps).sum().backward()
    assert maps.grad is not None
