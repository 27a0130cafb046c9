"""What a network is made of: its blocks in the order they run, with shapes, parameters and what each one reads.

Nothing is typed in per network. The network runs once on torch's `meta` device, where tensors have shapes and no
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

#: Where the networks and their blocks are defined.
PACKAGE = __package__.rpartition(".")[0]
#: Stands for the network's input where a block's index is expected.
IMAGE = -1
#: What a block reads: the index of another block (or IMAGE), and whether the maps were interpolated on the way.
Sources = dict[int, bool]


@dataclass(frozen=True)
class Block:
    """One call of one block.

    Attributes:
        name: As in the network's state dict, "encoder.0".
        part: The network within the network that it belongs to, "lungs" in CHS-Net, or "".
        kind: The block's class, or the layers that it is made of, "Conv 3×3×3, stride 2, BN, ReLU".
        about: The first paragraph of the class's docstring; "" for layers of torch.
        inputs: Shapes (channels, *spatial) of the maps that it takes.
        output: Shape (channels, *spatial) of the maps that it returns.
        parameters: Learnable numbers; 0 when the block has run before, so that they sum up to the network's.
        sources: The blocks that it reads.
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
        """Spatial sizes of the output, as the arrays have them: (z, y, x) or (y, x)."""
        return self.output[1:]

    @property
    def resamples(self) -> bool:
        """Whether it leads from one grid to another."""
        return all(shape[1:] != self.grid for shape in self.inputs)


@dataclass(frozen=True)
class Layers:
    """A network's blocks in the order they run; `outputs` is what each of the returned maps comes from."""

    blocks: list[Block]
    outputs: list[Sources]
    parameters: int


class _Flow(TorchFunctionMode):
    """Knows of every tensor which blocks it comes from, through concatenation, sums, padding and interpolation."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[int, tuple[torch.Tensor, Sources]] = {}

    def mark(self, tensor: torch.Tensor, sources: Sources) -> None:
        # The tensor is kept: the id of one that is gone could come back as another's.
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
    """Run a network that lies on the meta device on one image (1, 1, *sizes) and note its blocks.

    It runs as in training if it is in that mode: deep supervision shows there alone.
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
    """What a class is: the first paragraph of its docstring, as one line without its full stop."""
    return " ".join((kind.__doc__ or "").partition("\n\n")[0].split()).rstrip(".:")


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    """The tensors in nested lists and tuples."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _tensors(each)


def _own(module: nn.Module) -> bool:
    """Whether this package, not torch, says what the module is."""
    return type(module).__module__.startswith(f"{PACKAGE}.")


def _runs(module: nn.Module, name: str, part: str) -> Iterator[tuple[str, str, list[nn.Module]]]:
    """Name, part and modules of every block: a class of this package, or layers of torch that follow each other."""
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
    """Class of a block of this package, or the layers that it is made of, in order."""
    first, *_ = modules = list(modules)
    if _own(first):
        return type(first).__name__
    leaves = (leaf for module in modules for leaf in module.modules() if not any(leaf.children()))
    return ", ".join(_layer(leaf) for leaf in leaves)


def _layer(layer: nn.Module) -> str:
    """A layer of torch in the papers' words, with its kernel, and its stride where there is one to name."""
    name = type(layer).__name__.rstrip("d").rstrip("123")
    names = {"BatchNorm": "BN", "ConvTranspose": "Deconv", "MaxPool": "Max pool"}
    if not hasattr(layer, "kernel_size"):
        return names.get(name, name)
    dims = int(type(layer).__name__[-2])
    kernel, stride = (
        value if isinstance(value, tuple) else (value,) * dims for value in (layer.kernel_size, layer.stride)
    )
    # A pooling's stride is its kernel, if nothing else is said.
    strided = prod(stride) > 1 and name != "MaxPool"
    return f"{names.get(name, name)} {'×'.join(map(str, kernel))}" + (f", stride {stride[0]}" if strided else "")
