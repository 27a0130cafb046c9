"""Markdown that GitHub and Qt render."""

from __future__ import annotations

from collections.abc import Sequence

from .printable import printable


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table.

    >>> print(table(["metric", "mean"], [["Dice", "0.81"]]))
    | metric | mean |
    | --- | --- |
    | Dice | 0.81 |

    Args:
        head: Titles of the columns.
        rows: Cells of each row. Their texts may be anything, such as names of files.
    """
    return "\n".join(f"| {' | '.join(map(_cell, row))} |" for row in (head, ["---"] * len(head), *rows))


def _cell(text: str) -> str:
    return printable(text).replace("|", "\\|")
