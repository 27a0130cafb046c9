"""Rows of a paper's ablation table as recipes.

[[reported.ablation]]
row = "Original image"
arguments = { deep_supervision = true }   # of the networks
without = ["infection.mask_margin_mm"]    # keys that the row does not have, with dots between the names of tables
changes.infection.region = "whole"        # further values that differ from the recipe
infection = { dice = 0.5074 }             # what the paper reports
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from ..errors import InputError
from .inheritance import merge_tables, remove_key

Table = dict[str, Any]
#: Keys of a row that are not results.
ROW_KEYS = frozenset({"row", "arguments", "without", "changes"})


def apply_row(table: Table, wanted: str, where: str) -> Table:
    """Return a recipe's table with the settings and the reported results of one row of its ablation table.

    Args:
        table: The table of the recipe, which is not changed.
        wanted: Name of the row, or a part of it that no other row contains. Case does not matter.
        where: Name of the recipe in error messages.

    Raises:
        InputError: The recipe has no ablation table, none or several rows match, or the row leaves out a missing key.
    """
    row = _find(table, wanted, where)
    title = row["row"]
    changed = {**table, "name": f"{table['name']} ({title})", "title": f"{table['title']} ({title})"}
    for name in ("lungs", "infection"):
        # A row changes the network of the infection. A lung stage with another network stays as it is.
        stage = table.get(name)
        if isinstance(stage, dict) and stage.get("network") == table["infection"]["network"]:
            changed[name] = merge_tables(stage, {"arguments": row.get("arguments", {})})
    changed = deepcopy(changed)
    for key in row.get("without", []):
        remove_key(changed, key, f'"without" of the row "{title}" of {where} names "{key}", which the recipe lacks')
    changed = merge_tables(changed, row.get("changes", {}))
    changed["reported"] = {key: value for key, value in row.items() if key not in ROW_KEYS}
    return changed


def _find(table: Table, wanted: str, where: str) -> Table:
    listed = table.get("reported", {}).get("ablation")
    rows = [row for row in listed if isinstance(row.get("row"), str)] if isinstance(listed, list) else []
    if not rows:
        raise InputError(f"The recipe {where} has no ablation table. Leave the row out.")
    names = ", ".join(f'"{row["row"]}"' for row in rows)
    for matches in (
        [row for row in rows if row["row"] == wanted],
        [row for row in rows if row["row"].lower() == wanted.lower()],
        [row for row in rows if wanted.lower() in row["row"].lower()],
    ):
        if len(matches) == 1:
            return matches[0]
    count = "several rows" if matches else "no row"
    raise InputError(f'The ablation table of the recipe {where} has {count} "{wanted}". Give one of {names}.')
