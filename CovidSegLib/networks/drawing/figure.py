"""The figure of a network, drawn from its traced blocks. Nothing in it is placed or labelled by hand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from PIL import Image

from .layers import IMAGE, Block, Layers
from .layout import WIDTH, Rect, arrange

#: Height in pixels of the title and of a line of the legend.
TITLE, LINE = 60, 38
INK, FAINT, SKIP, ROWS = "#1d232a", "#5b6670", "#2f6fb5", ("#f1f4f7", "#f8fafb")
PLAIN, DOWN, UP = "#dfe4e9", "#c6e6bb", "#ffd0a1"
CHANNELS = "a → b: channels in and out"
KINDS = ("#b9d6f6", "#ffe28c", "#f7b6bf", "#cdc4f3")


def network_figure(title: str, layers: Layers) -> Figure:
    """Draw a network, 1600 pixels wide. Networks within the network are drawn side by side."""
    blocks = layers.blocks
    parts = list(dict.fromkeys(block.part for block in blocks))
    scale = 1 / len(parts)
    small, large = (20, 20) if scale == 1 else (14, 16)
    layouts = [arrange({i: b for i, b in enumerate(blocks) if b.part == part}) for part in parts]
    top = TITLE + (40 if len(parts) > 1 else 0)
    figure = Figure(dpi=72, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.text(24, TITLE / 2, title, color=INK, fontsize=30, weight="bold", va="center")
    note = f"{layers.parameters:,} parameters"
    axes.text(WIDTH - 24, TITLE / 2, note, color=FAINT, fontsize=24, ha="right", va="center")

    boxes: dict[int, Rect] = {}
    for place, (part, layout) in enumerate(zip(parts, layouts, strict=True)):
        x = place * scale * WIDTH
        boxes.update((i, box.moved(scale, x, top)) for i, box in layout.boxes.items())
        axes.text(x + 24, top - 18, part, color=INK, fontsize=26, weight="bold", va="center")
        for number, (grid, row) in enumerate(layout.rows.items()):
            band = row.moved(scale, x, top)
            _box(axes, Rect(band.left + 8, band.top, band.right - 8, band.bottom), ROWS[number % 2], 0)
            # The same rows need no second label. An arrow takes its place.
            if not place or layout.rows != layouts[0].rows:
                y = (band.top + band.bottom) / 2
                axes.text(band.left + 12 + 4 * scale, y, grid_label(grid), color=FAINT, fontsize=small, va="center")
    colours = _colours(blocks)
    skips = set().union(*(layout.skips for layout in layouts))
    for i, block in enumerate(blocks):
        _box(axes, boxes[i], colours[block.kind], 1)
        _label(axes, boxes[i], block, scale)
        for source, interpolated in block.sources.items():
            if source == IMAGE:
                x, y = (boxes[i].left + boxes[i].right) / 2, boxes[i].top
                _arrow(axes, (x, y - 46 * scale), (x, y), INK)
                axes.text(x + 12, y - 44 * scale, "image", color=INK, fontsize=large, va="center")
            else:
                # Connections between parts are not skip connections.
                skip = (source, i) in skips and blocks[source].part == block.part
                _arrow(axes, *_between(boxes[source], boxes[i]), SKIP if skip else INK, interpolated)
    for number, sources in enumerate(layers.outputs):
        for source, interpolated in sources.items():
            x, y = (boxes[source].left + boxes[source].right) / 2, boxes[source].bottom
            label = f"logits at {grid_label(blocks[0].inputs[0][1:])}" if interpolated else "logits"
            label = f"{label}\n(deep supervision)" if number else label
            _arrow(axes, (x, y), (x, y + 30 * scale + 6), INK, interpolated)
            axes.text(x, y + 30 * scale + 8, label, color=INK, fontsize=large, ha="center", va="top")
    body = top + scale * max(layout.height for layout in layouts)
    every = [*(block.sources for block in blocks), *layers.outputs]
    height = _legend(axes, colours, any(any(sources.values()) for sources in every), body + 16 + LINE / 2)
    figure.set_size_inches(WIDTH / 72, height / 72)
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(height, 0)
    return figure


def draw_network(path: Path, title: str, layers: Layers) -> None:
    """Write the figure as a PNG with a palette of few colours, which is much smaller than one with full colours."""
    picture = BytesIO()
    FigureCanvasAgg(network_figure(title, layers)).print_png(picture)
    few = Image.open(picture).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def grid_label(grid: tuple[int, ...]) -> str:
    """Return a grid (z, y, x) or (y, x) as x × y × z, as in the papers."""
    return "×".join(str(size) for size in reversed(grid))


def name_of(kind: str) -> str:
    """Return the kind of a block in words: "RABlock" as "RA block"; layers of torch by the first of them."""
    if not re.fullmatch(r"\w+", kind):
        return re.sub(r"(, stride \d+)?(,.*)?$", r"\1", kind)
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", kind).split()
    return " ".join(word if word.isupper() or not place else word.lower() for place, word in enumerate(words))


def _colours(blocks: Iterable[Block]) -> dict[str, str]:
    """Return a colour for every kind of block, in the order in which they run."""
    colours: dict[str, str] = {}
    own = iter(KINDS)
    for block in blocks:
        if block.kind in colours:
            continue
        if block.resamples:
            colours[block.kind] = DOWN if prod(block.inputs[0][1:]) > prod(block.grid) else UP
        else:
            colours[block.kind] = next(own) if block.about else PLAIN
    return colours


def _box(axes: Axes, box: Rect, colour: str, order: int) -> None:
    """Draw a block if `order` is 1, or a row behind the arrows if 0."""
    size = box.right - box.left, box.bottom - box.top
    style = "round,pad=0,rounding_size=8" if order else "square,pad=0"
    edge = INK if order else "none"
    axes.add_patch(
        FancyBboxPatch((box.left, box.top), *size, boxstyle=style, fc=colour, ec=edge, lw=1.4, zorder=3 * order)
    )


def _label(axes: Axes, box: Rect, block: Block, scale: float) -> None:
    """Write name and channels into a box. Small boxes only show the channels of the first input."""
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    inputs = [str(shape[0]) for shape in block.inputs]
    lines = [(0, 16, f"{inputs[0]} → {block.output[0]}")]
    if scale == 1:
        lines = [(-13, 20, name_of(block.kind)), (13, 18, f"{' + '.join(inputs)} → {block.output[0]}")]
    for down, size, text in lines:
        axes.text(x, y + down, text, color=INK, fontsize=size, ha="center", va="center_baseline", zorder=4)


def _between(start: Rect, stop: Rect) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the ends of an arrow from box to box, straight if they overlap."""
    left, right = max(start.left, stop.left), min(start.right, stop.right)
    top, bottom = max(start.top, stop.top), min(start.bottom, stop.bottom)
    if top < bottom:
        return (start.right, (top + bottom) / 2), (stop.left, (top + bottom) / 2)
    if left < right:
        x = (left + right) / 2
        upwards = stop.bottom < start.top
        return (x, start.top if upwards else start.bottom), (x, stop.bottom if upwards else stop.top)
    return (start.right - 8, start.top), (stop.left + 8, stop.bottom)


def _arrow(
    axes: Axes, tail: tuple[float, float], tip: tuple[float, float], colour: str, interpolated: bool = False
) -> None:
    style: Any = (0, (4, 3)) if interpolated else "solid"
    axes.add_patch(
        FancyArrowPatch(
            tail, tip, arrowstyle="-|>", mutation_scale=16, lw=2, color=colour, ls=style, shrinkA=0, shrinkB=0
        )
    )


def _legend(axes: Axes, colours: Mapping[str, str], interpolated: bool, top: float) -> float:
    """Draw the legend of colours and arrows from the left; return where its last line ends."""
    renderer = FigureCanvasAgg(axes.figure).get_renderer()  # type: ignore[arg-type]
    arrows = {"skip connection": (SKIP, False)}
    if interpolated:
        arrows["linear interpolation"] = INK, True
    x = 24.0
    for name in [*colours, *arrows, CHANNELS]:
        words = name if name in arrows or name == CHANNELS or "," in name else name_of(name)
        text = axes.text(0, 0, words, color=INK, fontsize=20, va="center_baseline")
        indent = 0 if name == CHANNELS else 46
        width = indent + text.get_window_extent(renderer).width
        if x + width > WIDTH - 20:
            x, top = 24.0, top + LINE
        if name in colours:
            _box(axes, Rect(x, top - 12, x + 36, top + 12), colours[name], 1)
        elif name in arrows:
            _arrow(axes, (x, top), (x + 38, top), *arrows[name])
        text.set_position((x + indent, top))
        x += width + 36
    return top + LINE
