"""A row of a paper's ablation as a recipe of its own."""

from __future__ import annotations

from typing import Any

from ..errors import InputError
from .inheritance import merge_tables

Table = dict[str, Any]


def apply_row(table: Table, wanted: str, where: str) -> Table:
    """The table of a recipe with the networks of one row of its ablation, and with what the paper reports of that row.

    Args:
        table: The recipe's; stays as it is.
        wanted: What the row is called, or a part of it that no other row has; the case of letters does not matter.
        where: What errors call the recipe.

    Raises:
        InputError: It has no ablation, or none or several such rows; lists the rows.
    """
    row = _find(table, wanted, where)
    title = row["row"]
    changed = {**table, "name": f"{table['name']} ({title})", "title": f"{table['title']} ({title})"}
    for name in ("lungs", "infection"):
        # A row is about one network: a stage of another one stays as it is.
        stage = table.get(name)
        if isinstance(stage, dict) and stage.get("network") == table["infection"]["network"]:
            changed[name] = merge_tables(stage, {"arguments": row.get("arguments", {})})
    changed["reported"] = {key: value for key, value in row.items() if key not in ("row", "arguments")}
    return changed


def _find(table: Table, wanted: str, where: str) -> Table:
    listed = table.get("reported", {}).get("ablation")
    rows = [row for row in listed if isinstance(row.get("row"), str)] if isinstance(listed, list) else []
    if not rows:
        raise InputError(f"The recipe {where} has no ablation: its paper reports no rows; leave the row out.")
    called = ", ".join(f"“{row['row']}”" for row in rows)
    for fits in (
        [row for row in rows if row["row"] == wanted],
        [row for row in rows if row["row"].lower() == wanted.lower()],
        [row for row in rows if wanted.lower() in row["row"].lower()],
    ):
        if len(fits) == 1:
            return fits[0]
    kind = "several rows" if fits else "no row"
    raise InputError(f"The ablation of the recipe {where} has {kind} “{wanted}”; give one of {called}.")
