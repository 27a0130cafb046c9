"""The blocks of a network in the order in which they run, with shapes, parameters and inputs.

Nothing is specified by hand for a network. It runs once on torch's `meta` device, where tensors have shapes but no
values, so that the papers' 3D patches cost neither memory nor time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from .. import NETWORKS

#: Package that defines the networks and their blocks.
PACKAGE = __package__.rpartition(".")[0]
#: Index that stands for the network's input.
IMAGE = -1
#: Sources of an input: the index of a block (or IMAGE), and whether its output was interpolated on the way.
Sources = dict[int, bool]


@dataclass(frozen=True)
class Block:
    """One call of one block.

    Attributes:
        name: Name in the network's state dict, such as "encoder.0".
        part: The network within the network that contains the block, such as "lungs" in CHS-Net, or "".
        kind: Class of the block, or its layers, such as "Conv 3×3×3, stride 2, BN, ReLU".
        about: First paragraph of the docstring of the class; "" for layers of torch.
        inputs: Shapes (channels, *spatial) of the inputs.
        output: Shape (channels, *spatial) of the output.
        parameters: Number of trainable parameters; 0 if the block has run before, so that the numbers add up to those
            of the network.
        sources: The blocks whose output it takes.
    """

    name: str
    part: str
    kind: str
    about: str
    inputs: tuple[tuple[int, ...], ...]
    output: tuple[int, ...]
    parameters: int
    sources: Sources

    @property
    def grid(self) -> tuple[int, ...]:
        """Spatial sizes of the output in the order of arrays: (z, y, x) or (y, x)."""
        return self.output[1:]

    @property
    def resamples(self) -> bool:
        """Whether the block changes the grid."""
        return all(shape[1:] != self.grid for shape in self.inputs)


@dataclass(frozen=True)
class Layers:
    """The blocks of a network in the order in which they run, and the sources of each of its outputs."""

    blocks: list[Block]
    outputs: list[Sources]
    parameters: int


class _Flow(TorchFunctionMode):
    """Tracks which blocks every tensor comes from, through concatenation, sums, padding and interpolation."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[int, tuple[torch.Tensor, Sources]] = {}

    def mark(self, tensor: torch.Tensor, sources: Sources) -> None:
        # The tensor is kept alive, as its id could otherwise be reused by another tensor.
        self._known[id(tensor)] = tensor, sources

    def sources(self, value: Any) -> Sources:
        merged: Sources = {}
        for tensor in _tensors(value):
            for source, interpolated in self._known.get(id(tensor), (tensor, {}))[1].items():
                merged[source] = merged.get(source, False) or interpolated
        return merged

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        sources = self.sources([*args, *(kwargs or {}).values()])
        if function is functional.interpolate:
            sources = dict.fromkeys(sources, True)
        if sources:
            for tensor in _tensors(result):
                self.mark(tensor, sources)
        return result


def trace(network: nn.Module, sizes: Sequence[int]) -> Layers:
    """Run a network on the meta device on one image (1, 1, *sizes) and record its blocks.

    The network keeps its mode. Deep supervision only shows in training mode.
    """
    flow, blocks, taken = _Flow(), list[Block](), set[str]()
    pending: dict[str, tuple[tuple[tuple[int, ...], ...], Sources]] = {}
    handles = []
    for name, part, modules in _runs(network, "", ""):

        def before(module: nn.Module, args: Any, name: str = name) -> None:
            pending[name] = tuple(tuple(maps.shape[1:]) for maps in _tensors(args)), flow.sources(args)

        def after(
            module: nn.Module, args: Any, output: torch.Tensor, name: str = name, part: str = part, run: Any = modules
        ) -> None:
            inputs, sources = pending.pop(name)
            size = 0 if name in taken else sum(p.numel() for each in run for p in each.parameters())
            taken.add(name)
            about = purpose(type(run[0])) if _own(run[0]) else ""
            shape = tuple(output.shape[1:])
            blocks.append(Block(name, part, _kind(run), about, inputs, shape, size, sources))
            flow.mark(output, {len(blocks) - 1: False})

        handles += [modules[0].register_forward_pre_hook(before), modules[-1].register_forward_hook(after)]
    image = torch.empty(1, 1, *sizes, device="meta")
    flow.mark(image, {IMAGE: False})
    try:
        with torch.no_grad(), flow:
            outputs = network(image)
    finally:
        for handle in handles:
            handle.remove()
    outputs = [flow.sources(maps) for maps in _tensors(outputs)]
    return Layers(blocks, outputs, sum(p.numel() for p in network.parameters()))


def purpose(kind: type) -> str:
    """Return the first paragraph of a class's docstring, as one line without its full stop."""
    return " ".join((kind.__doc__ or "").partition("\n\n")[0].split()).rstrip(".:")


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors in nested lists and tuples."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _tensors(each)


def _own(module: nn.Module) -> bool:
    """Whether the module is defined in this package, not in torch."""
    return type(module).__module__.startswith(f"{PACKAGE}.")


def _runs(module: nn.Module, name: str, part: str) -> Iterator[tuple[str, str, list[nn.Module]]]:
    """Yield name, part and modules of every block: a class of this package, or consecutive layers of torch."""
    nested = type(module) in NETWORKS.values()
    if nested or type(module) is nn.ModuleList:
        for child, each in module.named_children():
            yield from _runs(each, f"{name}.{child}".lstrip("."), name if nested else part)
    elif type(module) is nn.Sequential and any(_own(each) for each in module.modules()):
        for own, group in groupby(module.named_children(), lambda pair: any(_own(each) for each in pair[1].modules())):
            children = list(group)
            if own:
                for child, each in children:
                    yield from _runs(each, f"{name}.{child}", part)
            else:
                yield f"{name}.{children[0][0]}", part, [each for _, each in children]
    elif not isinstance(module, nn.Identity):
        yield name, part, [module]


def _kind(modules: Iterable[nn.Module]) -> str:
    """Return the class of a block of this package, or its layers in order."""
    first, *_ = modules = list(modules)
    if _own(first):
        return type(first).__name__
    leaves = (leaf for module in modules for leaf in module.modules() if not any(leaf.children()))
    return ", ".join(_layer(leaf) for leaf in leaves)


def _layer(layer: nn.Module) -> str:
    """Return the name of a torch layer in the terms of the papers, with its kernel and its stride if above 1."""
    name = type(layer).__name__.rstrip("d").rstrip("123")
    names = {"BatchNorm": "BN", "ConvTranspose": "Deconv", "MaxPool": "Max pool"}
    if not hasattr(layer, "kernel_size"):
        return names.get(name, name)
    dims = int(type(layer).__name__[-2])
    kernel, stride = (
        value if isinstance(value, tuple) else (value,) * dims for value in (layer.kernel_size, layer.stride)
    )
    # The stride of a pooling layer is its kernel by default.
    strided = prod(stride) > 1 and name != "MaxPool"
    return f"{names.get(name, name)} {'×'.join(map(str, kernel))}" + (f", stride {stride[0]}" if strided else "")
