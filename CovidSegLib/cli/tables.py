"""Lists on standard output: aligned tables for people, JSON for programs."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ..printable import printable
from .printing import cut, print_text

#: Between two columns.
GAP = "  "


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add --json, which is False if it is not given; a parser and its subparsers may both have it."""
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the list as JSON")


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, each row on one line: in a terminal the last column is cut to fit."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print_text(format_table(head, rows, width))


def print_json(records: Sequence[Mapping[str, Any]]) -> None:
    """Print a list of JSON objects."""
    print_text(json.dumps(records, indent=1))


def format_table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None) -> str:
    """Format a table with aligned columns.

    Args:
        head: Titles of the columns.
        rows: Cells of each row, in the order of the titles. Control characters are escaped, and very long cells cut.
        width: Length of the longest line allowed, kept by cutting the last column; unlimited if None. The other
            columns are never cut.

    Returns:
        One line for the titles and one for each row, without spaces at their ends.

    Example:
        >>> print(format_table(["NAME", "TITLE"], [["v-net", "V-Net"], ["unet-3d", "3D U-Net"]]))
        NAME     TITLE
        v-net    V-Net
        unet-3d  3D U-Net
    """
    rows = [[cut(printable(cell)) for cell in row] for row in rows]
    columns = zip(head, *rows, strict=True)
    widths = [max(map(len, column)) for column in columns]
    if width is not None:
        fixed = sum(widths[:-1]) + len(GAP) * (len(widths) - 1)
        widths[-1] = max(len(head[-1]), min(widths[-1], width - fixed))
    lines = []
    for row in (head, *rows):
        cells = [*row[:-1], cut(row[-1], widths[-1])]
        lines.append(GAP.join(cell.ljust(size) for cell, size in zip(cells, widths, strict=True)).rstrip())
    return "\n".join(lines)
