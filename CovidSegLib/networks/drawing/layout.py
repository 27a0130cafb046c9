"""Positions of the blocks in the figure of a network: a U, derived from their grids, order and inputs.

A row is a grid, the finest at the top. Blocks that keep the grid lie in its row, blocks that change it between two
rows. Blocks that run before the deepest row are at the left, blocks that run after it at the right, and blocks that
only produce outputs at the far right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from .layers import Block

#: Width of the figure, size of a box and gap between boxes, in pixels.
WIDTH, BOX, GAP = 1600, (270, 60), 20
#: Widths in pixels of the row labels at the left, and of the column of output blocks at the right.
LABELS, HEADS = 172, 310


@dataclass(frozen=True)
class Rect:
    """A box in pixels, with y downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def moved(self, scale: float, x: float, y: float) -> Rect:
        return Rect(self.left * scale + x, self.top * scale + y, self.right * scale + x, self.bottom * scale + y)


@dataclass(frozen=True)
class Layout:
    """Positions of the blocks of one U by their index, and its rows by their grid.

    `skips` are the arrows (from, to) of skip connections; `height` is that of the whole U.
    """

    boxes: dict[int, Rect]
    rows: dict[tuple[int, ...], Rect]
    skips: set[tuple[int, int]]
    height: float


def arrange(blocks: Mapping[int, Block]) -> Layout:
    """Return the positions of the blocks of one U."""
    grids = sorted({block.grid for block in blocks.values()}, key=prod, reverse=True)
    deepest = len(grids) - 1
    level = {i: grids.index(block.grid) for i, block in blocks.items()}
    read = {source for block in blocks.values() for source in block.sources}
    bottom = [i for i, block in blocks.items() if level[i] == deepest and not block.resamples and i in read]
    heads = [i for i in blocks if i not in read]
    before = [i for i in blocks if i < bottom[0]]
    after = [i for i in blocks if i > bottom[-1] and i in read]
    # Blocks on a skip connection only take outputs of the encoder on their own grid.
    middle = [
        i
        for i in after
        if not blocks[i].resamples and all(s <= bottom[-1] and not up for s, up in blocks[i].sources.items())
    ]
    right = [i for i in after if i not in middle]

    end = WIDTH - HEADS
    centre = (LABELS + end) / 2
    inner = BOX[0] / 2 + 40 if middle else 40
    shift = min(100, (centre - inner - BOX[0] - LABELS) / max(1, deepest - 1))
    across = {i: centre + (place - (len(bottom) - 1) / 2) * (BOX[0] + 44) for place, i in enumerate(bottom)}

    def slope(depth: float) -> float:
        """Return the distance of an encoder box's centre from the middle of the U."""
        return centre - LABELS - BOX[0] / 2 - depth * shift

    boxes: dict[int, Rect] = {}
    rows: dict[tuple[int, ...], Rect] = {}

    def put(i: int, x: float, y: float) -> None:
        boxes[i] = Rect(x - BOX[0] / 2, y, x + BOX[0] / 2, y + BOX[1])

    top = 50.0  # room for the image's label
    for depth, grid in enumerate(grids):
        if depth:
            between = [i for i in before if blocks[i].resamples and level[i] == depth]
            back = [i for i in right if blocks[i].resamples and level[i] == depth - 1]
            height = BOX[1] + 2 * GAP if between or back else 3 * GAP
            for group, side, last in ((between, -1, bottom[0]), (back, 1, bottom[-1])):
                offset = slope(depth - 0.5)
                if depth == deepest:
                    offset = max((slope(depth - 1) + side * (across[last] - centre)) / 2, BOX[0] / 2 + 12)
                for i in group:
                    put(i, centre + side * offset, top + GAP)
            top += height
        columns = [
            ([i for i in before if level[i] == depth and not blocks[i].resamples][::-1], -1),
            ([i for i in right if level[i] == depth and not blocks[i].resamples], 1),
            ([i for i in middle if level[i] == depth], 0),
        ]
        slots = max(1, *(len(column) for column, _ in columns))
        end_row = top + slots * (BOX[1] + GAP) + GAP
        for column, side in columns:
            for place, i in enumerate(column):
                put(i, centre + side * slope(depth), end_row - (place + 1) * (BOX[1] + GAP))
        if depth == deepest:
            for i in bottom:
                put(i, across[i], end_row - BOX[1] - GAP)
        rows[grid] = Rect(0, top, WIDTH, end_row)
        top = end_row
    for i in heads:
        sources = [boxes[source] for source in blocks[i].sources]
        right_edge = WIDTH - 16
        boxes[i] = Rect(right_edge - BOX[0], min(s.top for s in sources), right_edge, max(s.bottom for s in sources))
    # The latest input comes along the U, the others are skip connections. All inputs of a head come along the U.
    skips = {
        (s, i) for i in blocks if i not in heads for s in blocks[i].sources if i in middle or s < max(blocks[i].sources)
    }
    return Layout(boxes, rows, skips, top)
