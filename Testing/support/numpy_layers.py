"""Reference implementations of the networks' layers in numpy, for feature maps (channel, *spatial) of one sample."""

from itertools import product

import numpy as np
from torch import nn


def conv(layer: nn.Module, maps: np.ndarray) -> np.ndarray:
    """Apply a convolution, atrous or not, with zero padding that keeps the sizes: a sum over channels for each tap."""
    weight = layer.weight.detach().numpy()
    sizes, kernel, dilation = maps.shape[1:], weight.shape[2], layer.dilation[0]
    margin = dilation * (kernel // 2)
    padded = np.pad(maps, [(0, 0)] + [(margin, margin)] * len(sizes))
    out = np.zeros((weight.shape[0], *sizes))
    for tap in product(range(kernel), repeat=len(sizes)):
        window = tuple(slice(dilation * i, dilation * i + size) for i, size in zip(tap, sizes, strict=True))
        out += np.einsum("oc,c...->o...", weight[(..., *tap)], padded[(slice(None), *window)])
    return out if layer.bias is None else out + layer.bias.detach().numpy().reshape(-1, *[1] * len(sizes))


def norm(layer: nn.Module, maps: np.ndarray) -> np.ndarray:
    """Apply batch normalisation in evaluation mode."""
    mean, variance, weight, bias = (
        values.detach().numpy().reshape(-1, *[1] * (maps.ndim - 1))
        for values in (layer.running_mean, layer.running_var, layer.weight, layer.bias)
    )
    return (maps - mean) / np.sqrt(variance + layer.eps) * weight + bias


def relu(maps: np.ndarray) -> np.ndarray:
    """Apply the rectified linear unit."""
    return np.maximum(maps, 0)


def interpolate(maps: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """Resize linearly along one axis after the other, with matching pixel areas (align_corners=False)."""
    for axis, size in enumerate(sizes, start=1):
        old = maps.shape[axis]
        at = (np.arange(size) + 0.5) * old / size - 0.5
        maps = np.apply_along_axis(lambda line, at=at, old=old: np.interp(at, np.arange(old), line), axis, maps)
    return maps


def sigmoid(maps: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-maps))


def conv_norm_relu(layers: nn.Sequential, maps: np.ndarray) -> np.ndarray:
    """Apply convolution, batch normalisation and ReLU; the first two of `layers` hold the weights."""
    return relu(norm(layers[1], conv(layers[0], maps)))
