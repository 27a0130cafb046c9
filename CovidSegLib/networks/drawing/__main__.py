"""Write the documentation of the published networks: `python -m CovidSegLib.networks.drawing docs`."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from functools import cache
from pathlib import Path

import torch

from .. import PUBLISHED, build
from .figure import draw_network, grid_label
from .layers import IMAGE, Block, Layers, purpose, trace

CHS_NET = (
    "N. S. Punn, S. Agarwal. CHS-Net: A Deep learning approach for hierarchical segmentation of COVID-19 infected "
    "CT images. 2021. https://arxiv.org/abs/2012.07079"
)
#: The patch (z, y, x) or (y, x) that each paper trains on, and the citation of the paper.
PAPERS: dict[str, tuple[tuple[int, ...], str]] = {
    "QCHCUNet": (
        (80, 160, 160),
        "Q. Zhang, X. Ren, B. Wei. Segmentation of infected region in CT images of COVID-19 patients based on QC-HC "
        "U-net. *Scientific Reports* 11, 22854, 2021. https://doi.org/10.1038/s41598-021-01502-0",
    ),
    "RAUNet": (
        (32, 192, 192),
        "J. Zeng, Y. Zhang, H. Xu, Z. Zhang, X. Yu. Medical Image Segmentation of COVID-19 Based on Deep Learning. "
        "Xiamen University, 2023.",
    ),
    "CovidSegNet": (
        (64, 128, 128),
        "Q. Yan, B. Wang, D. Gong, C. Luo, W. Zhao, J. Shen, Q. Shi, S. Jin, L. Zhang, Z. You. COVID-19 Chest CT Image "
        "Segmentation – A Deep Convolutional Neural Network Solution. 2020. https://arxiv.org/abs/2004.10987",
    ),
    "FVPASPPUNet": ((8, 128, 128), "Y. Lin, M. Huang. COVID19 infection region segmentation."),
    "RAIUNet": ((256, 256), CHS_NET),
    "CHSNet": ((256, 256), CHS_NET),
}
INTRODUCTION = """# The published networks

Each network with the settings of its paper, for the patch that the paper trains on. The figures and tables are made
by `python -m CovidSegLib.networks.drawing docs`, which runs the networks. A test checks that they match the code.

Each row of a figure is a grid, x × y × z (x × y for 2D networks). The column *reads* lists the blocks whose output a
block takes. Several outputs are concatenated or are separate inputs; "~" marks outputs that are interpolated to the
grid of the block. The networks run in training mode, in which they also return the outputs of deep supervision.
"""


@cache
def traced(name: str) -> Layers:
    """Return the layers of one of `PAPERS`, in training mode, which includes deep supervision."""
    with torch.device("meta"):
        network = build(name, {})
    return trace(network, PAPERS[name][0])


def titles(name: str) -> tuple[str, str]:
    """Return the network's name in its paper and a short description, from the docstring of its file."""
    text = " ".join((sys.modules[type_of(name).__module__].__doc__ or "").split())
    sentence = text.partition(" (")[0]
    cut = min(place for place in (sentence.find(":"), sentence.find(",")) if place > 0)
    about = sentence[cut + 1 :].strip().rstrip(".")
    return sentence[:cut], about[0].upper() + about[1:] + "."


def type_of(name: str) -> type:
    """Return the class of a network."""
    network = PUBLISHED[name]
    assert isinstance(network, type)
    return network


def document() -> str:
    """Return the text of docs/networks.md."""
    return "\n".join([INTRODUCTION, *map(section, PAPERS)])


def section(name: str) -> str:
    """Return the section of one network: description, paper, figure, own blocks and table of layers."""
    layers, (title, about), (patch, paper) = traced(name), titles(name), PAPERS[name]
    file = f"{type_of(name).__module__.rpartition('.')[2]}.py"
    nested = any(block.part for block in layers.blocks)
    own = {block.kind: block.about for block in layers.blocks if block.about}
    if nested:
        own = {name: purpose(type_of(name))}
    lines = [
        f"## {title}",
        "",
        f"{about} `{name}` in [{file}](../CovidSegLib/networks/{file}), {layers.parameters:,} parameters, drawn for a "
        f"patch of {grid_label(patch)}.",
        "",
        f"> {paper}",
        "",
        f"![Figure of {title}](networks/{name}.png)",
        "",
        *(f"- `{kind}`: {text}" for kind, text in own.items()),
        *([""] if own else []),
        *(_parts(layers) if nested else _table(layers)),
        "",
    ]
    return "\n".join(lines)


def _table(layers: Layers) -> list[str]:
    rows = ["| block | kind | reads | output | parameters |", "| --- | --- | --- | --- | ---: |"]
    for block in layers.blocks:
        kind = f"`{block.kind}`" if block.about else block.kind
        rows.append(f"| {block.name} | {kind} | {_reads(block, layers)} | {_shape(block)} | {block.parameters:,} |")
    return [*rows, f"| | | | total | {layers.parameters:,} |"]


def _parts(layers: Layers) -> list[str]:
    """Return a table with a row for every network within the network, which has its own table."""
    rows = ["| network | reads | output | parameters |", "| --- | --- | --- | ---: |"]
    parts: dict[str, list[Block]] = {}
    for block in layers.blocks:
        parts.setdefault(block.part, []).append(block)
    for part, blocks in parts.items():
        size = sum(block.parameters for block in blocks)
        rows.append(f"| {part} | {_reads(blocks[0], layers)} | {_shape(blocks[-1])} | {size:,} |")
    return [*rows, f"| | | total | {layers.parameters:,} |"]


def _reads(block: Block, layers: Layers) -> str:
    """Return the names of the blocks whose output a block takes, in the order in which they run."""

    def name(source: int, interpolated: bool) -> str:
        if source == IMAGE:
            return "image"
        read = layers.blocks[source]
        label = read.part if read.part != block.part else read.name
        return f"~{label}" if interpolated else label

    return ", ".join(name(*pair) for pair in sorted(block.sources.items()))


def _shape(block: Block) -> str:
    return f"{block.output[0]} × {grid_label(block.grid)}"


def write(folder: Path) -> None:
    """Write networks.md and networks/NAME.png to a folder."""
    (folder / "networks").mkdir(parents=True, exist_ok=True)
    for name in PAPERS:
        draw_network(folder / "networks" / f"{name}.png", titles(name)[0], traced(name))
    (folder / "networks.md").write_text(document(), encoding="utf-8", newline="\n")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = ArgumentParser(prog="python -m CovidSegLib.networks", description="Document the published networks.")
    parser.add_argument("folder", type=Path, help="folder for networks.md and the figures: docs in the repository")
    write(parser.parse_args(arguments).folder)


if __name__ == "__main__":
    main()
