"""What the tests of the networks share: checks of a whole network, and layers read plainly in numpy."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view


def parameters(network: torch.nn.Module) -> int:
    """The number of learnable numbers."""
    return sum(parameter.numel() for parameter in network.parameters())


def idle_parameters(network: torch.nn.Module) -> list[str]:
    """Names of the parameters that the last backward pass gave no gradient."""
    return [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]


def boxes(sizes: Sequence[int], labels: int) -> tuple[torch.Tensor, torch.Tensor]:
    """An image (1, 1, *sizes) of noise with a box in the box of every label, and its labels, whole numbers."""
    torch.manual_seed(1)
    mask = torch.zeros(1, 1, *sizes, dtype=torch.long)
    for label in range(1, labels):
        mask[(..., *(slice(2 * label, size - 3 * label) for size in sizes))] = label
    return torch.rand(mask.shape) * 0.3 + mask * 0.4, mask


def overfit(
    network: torch.nn.Module, loss: torch.nn.Module, image: torch.Tensor, mask: torch.Tensor, steps: int = 100
) -> float:
    """Dice of the last label, by the largest logit or one logit's sign, once it passes 0.95 or after `steps`."""
    optimiser, truth, dice = torch.optim.Adam(network.parameters(), 0.01), mask == mask.max(), 0.0
    for _ in range(steps):
        logits = network(image)
        found = logits > 0 if logits.shape[1] == 1 else logits.argmax(1, keepdim=True) == mask.max()
        dice = float(2 * (found & truth).sum() / (found.sum() + truth.sum()))
        if dice > 0.95:
            break
        optimiser.zero_grad()
        loss(logits, mask).backward()
        optimiser.step()
    return dice


def settle(network: torch.nn.Module) -> torch.nn.Module:
    """The network in eval, its batch normalisations as if trained: no mean is 0 and no factor is 1."""
    torch.manual_seed(2)
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval()


def conv(layer: torch.nn.Module, maps: np.ndarray) -> np.ndarray:
    """A convolution of stride 1 on maps (channel, *spatial), sizes kept."""
    weight = layer.weight.detach().numpy()
    kernel = weight.shape[2:]
    padded = np.pad(maps, [(0, 0), *((size // 2, size // 2) for size in kernel)])
    dims = len(kernel)
    windows = sliding_window_view(padded, kernel, axis=tuple(range(1, dims + 1)))
    axes = [0, *range(dims + 1, 2 * dims + 1)]
    result = np.tensordot(weight, windows, axes=(list(range(1, dims + 2)), axes))
    return result if layer.bias is None else result + layer.bias.detach().numpy().reshape(-1, *[1] * dims)


def norm(layer: torch.nn.Module, maps: np.ndarray) -> np.ndarray:
    """Batch normalisation of maps (channel, *spatial) in eval."""
    mean, variance, weight, bias = (
        values.detach().numpy().reshape(-1, *[1] * (maps.ndim - 1))
        for values in (layer.running_mean, layer.running_var, layer.weight, layer.bias)
    )
    return (maps - mean) / np.sqrt(variance + layer.eps) * weight + bias


def relu(maps: np.ndarray) -> np.ndarray:
    """What is above zero."""
    return np.maximum(maps, 0)


def interpolate(maps: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """Maps (channel, *spatial) at other sizes, linearly along one axis after the other, pixel areas matched."""
    for axis, size in enumerate(sizes, start=1):
        old = maps.shape[axis]
        at = (np.arange(size) + 0.5) * old / size - 0.5
        maps = np.apply_along_axis(lambda line, at=at, old=old: np.interp(at, np.arange(old), line), axis, maps)
    return maps
