"""Recipes: TOML files that describe published systems, and functions that read them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..recipe import Recipe
from . import inheritance
from .ablation import apply_row
from .parsing import build
from .validation import check

RECIPES = Path(__file__).parent
#: Keys that only describe a recipe to people.
PROSE = frozenset({"title", "summary", "source"})


def names() -> list[str]:
    """Return the names of the library's recipes."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def find(name: str) -> Path:
    """Return the TOML file of a recipe.

    Args:
        name: Name of one of the library's recipes, or a path that ends in .toml.

    Raises:
        InputError: There is no such recipe.
    """
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    if not path.is_file():
        raise InputError(f'There is no recipe "{name}". Give the path of a .toml file or one of: {", ".join(names())}.')
    return path


def load(name: str, ablation: str | None = None) -> Recipe:
    """Read and check a recipe.

    Args:
        name: Name of one of the library's recipes, or the path of a TOML file.
        ablation: A row of the paper's ablation table: the recipe has the networks of that row. Part of the row's name
            is enough if no other row contains it.

    Raises:
        InputError: There is no such recipe or row, or the file has an error. The message names the file, the key and
        the
            allowed values.

    Example:
        >>> load("unet-cascade").infection.network
        'DynUNet'
    """
    return _checked(name, ablation)[0]


def resolved_toml(name: str, ablation: str | None = None, changes: Mapping[str, Any] | None = None) -> str:
    """Return a recipe as self-contained TOML: with everything that it inherits, and with its ablation row applied.

    Args:
        name: Same as in `load`.
        ablation: Same as in `load`.
        changes: Tables that replace values of the recipe, such as `{"training": {"epochs": {"infection": 3}}}`. They
            are merged like the tables of a recipe that inherits from another.

    Raises:
        InputError: See `load`.
    """
    import tomli_w  # not needed for segmentation

    table = inheritance.merge_tables(_checked(name, ablation)[1], dict(changes or {}))
    check(build(Recipe, table, "with changes"), "with changes")
    return tomli_w.dumps(table)


def parse(text: str, where: str) -> Recipe:
    """Read and check a recipe from self-contained TOML.

    Args:
        text: The TOML, from `resolved_toml`.
        where: Name of the recipe in error messages.

    Raises:
        InputError: The text has an error.
    """
    recipe = build(Recipe, tomllib.loads(text), where)
    check(recipe, where)
    return recipe


def epoch_changes(name: str, ablation: str | None, epochs: int | None) -> dict[str, Any]:
    """Return changes for `resolved_toml` that set the number of epochs of every stage; no changes if None."""
    return {} if epochs is None else {"training": {"epochs": dict.fromkeys(load(name, ablation).stages, epochs)}}


def without_prose(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the table of a recipe without title, summary and source, which do not affect results."""
    return {key: value for key, value in table.items() if key not in PROSE}


def recipe_title(name: str, ablation: str | None = None) -> str:
    """Return the name of a recipe and its ablation row, without importing torch.

    Raises:
        InputError: See `outline`.
    """
    return outline(name, ablation).name


def outline(name: str, ablation: str | None = None) -> Recipe:
    """Read a recipe without checking its networks, which would import torch: fast enough to list all recipes.

    Args:
        name: Same as in `load`.
        ablation: Same as in `load`.

    Raises:
        InputError: There is no such recipe or row, or a key or the type of a value is wrong.
    """
    table, where = _table(name, ablation)
    return build(Recipe, table, where)


def _checked(name: str, ablation: str | None) -> tuple[Recipe, dict[str, Any]]:
    table, where = _table(name, ablation)
    recipe = build(Recipe, table, where)
    check(recipe, where)
    return recipe, table


def _table(name: str, ablation: str | None) -> tuple[dict[str, Any], str]:
    """Return the table of a recipe, with keys and types checked, and its name in error messages."""
    table, where = inheritance.read(find(name), RECIPES)
    build(Recipe, table, where)
    if ablation is None:
        return table, where
    return apply_row(table, ablation, where), f"{where} ({ablation})"
