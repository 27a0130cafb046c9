"""Markdown that GitHub and Qt render."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table.

    >>> print(table(["metric", "mean"], [["Dice", "0.81"]]))
    | metric | mean |
    | --- | --- |
    | Dice | 0.81 |

    Args:
        head: Titles of the columns.
        rows: Cells of each row.
    """
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))
