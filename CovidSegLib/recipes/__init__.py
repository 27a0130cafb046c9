"""The recipes that come with the library, one TOML file each, and how they are read."""

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


def names() -> list[str]:
    """Names of the recipes that come with the library."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def find(name: str) -> Path:
    """The TOML file of a recipe by its name; a path that ends in .toml stands for itself.

    Raises:
        InputError: There is none; names those that are there.
    """
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    if not path.is_file():
        raise InputError(f"There is no recipe “{name}”; the recipes are: {', '.join(names())}.")
    return path


def load(name: str, ablation: str | None = None) -> Recipe:
    """A recipe by name, or from the TOML file at that path.

    Args:
        name: Of the recipe, or the path of its file.
        ablation: The row of the paper's ablation whose networks are meant, or a part of its name that no other row has.

    Raises:
        InputError: There is none, or the file says something that a recipe does not have; names file, key and choices.
    """
    return _checked(name, ablation)[0]


def resolved_toml(name: str, ablation: str | None = None, changes: Mapping[str, Any] | None = None) -> str:
    """A recipe as one TOML text that needs no other file: with what it is like, and its row of the ablation, put in.

    Arguments and errors are those of `load`; it reads as the same recipe, but for `changes`: tables as a file that is
    like another one has them, such as `{"training": {"epochs": {"infection": 3}}}`.
    """
    import tomli_w  # only here: who segments need not have it

    table = inheritance.merge_tables(_checked(name, ablation)[1], dict(changes or {}))
    check(build(Recipe, table, "with changes"), "with changes")
    return tomli_w.dumps(table)


def parse(text: str, where: str) -> Recipe:
    """A recipe from TOML that needs no other file, as `resolved_text` makes it.

    Args:
        text: The TOML.
        where: What errors call it.

    Raises:
        InputError: It says something that a recipe does not have.
    """
    recipe = build(Recipe, tomllib.loads(text), where)
    check(recipe, where)
    return recipe


def epoch_changes(name: str, ablation: str | None, epochs: int | None) -> dict[str, Any]:
    """Changes for `resolved_text`: so many epochs of every stage, or none where None."""
    return {} if epochs is None else {"training": {"epochs": dict.fromkeys(load(name, ablation).stages, epochs)}}


def recipe_title(name: str, ablation: str | None = None) -> str:
    """What a recipe, or a row of it, is called; without a look at its networks, for which torch would be loaded.

    Raises:
        InputError: There is no such recipe or row, or its file says something that a recipe does not have.
    """
    return outline(name, ablation).name


def outline(name: str, ablation: str | None = None) -> Recipe:
    """Read a recipe without checking its networks, which would import torch: fast enough to list all recipes.

    Args:
        name: Name of a recipe, or path of its TOML file.
        ablation: Row of its ablation; see `load`.

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
    """All that a recipe says, with keys and types as they must be, and what errors call it."""
    table, where = inheritance.read(find(name), RECIPES)
    build(Recipe, table, where)
    if ablation is None:
        return table, where
    return apply_row(table, ablation, where), f"{where} ({ablation})"
