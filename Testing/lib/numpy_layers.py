"""Further layers in plain numpy, for one sample of maps (channel, *spatial): see also network_checks."""

from itertools import product

import numpy as np
from network_checks import norm, relu
from torch import nn


def conv(layer: nn.Module, maps: np.ndarray) -> np.ndarray:
    """A convolution, atrous or not, that keeps the sizes: zeros around, then one sum over channels for each tap."""
    weight = layer.weight.detach().numpy()
    sizes, kernel, dilation = maps.shape[1:], weight.shape[2], layer.dilation[0]
    margin = dilation * (kernel // 2)
    padded = np.pad(maps, [(0, 0)] + [(margin, margin)] * len(sizes))
    out = np.zeros((weight.shape[0], *sizes))
    for tap in product(range(kernel), repeat=len(sizes)):
        window = tuple(slice(dilation * i, dilation * i + size) for i, size in zip(tap, sizes, strict=True))
        out += np.einsum("oc,c...->o...", weight[(..., *tap)], padded[(slice(None), *window)])
    return out if layer.bias is None else out + layer.bias.detach().numpy().reshape(-1, *[1] * len(sizes))


def sigmoid(maps: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-maps))


def conv_norm_relu(layers: nn.Sequential, maps: np.ndarray) -> np.ndarray:
    """Convolution, batch normalisation and ReLU by `layers`, the first two of which have the weights."""
    return relu(norm(layers[1], conv(layers[0], maps)))
