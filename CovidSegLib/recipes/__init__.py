"""The recipes that come with the library, one TOML file each, and how they are read."""

from __future__ import annotations

import tomllib
from pathlib import Path

from ..errors import InputError
from ..recipe import Recipe
from .checks import check
from .parsing import build

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


def load(name: str) -> Recipe:
    """A recipe by name, or from the TOML file at that path.

    Raises:
        InputError: There is none, or the file says something that a recipe does not have; names file, key and choices.
    """
    path = find(name)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # of TOML or of UTF-8
        raise InputError(f"The recipe {path.name} is not valid TOML: {error}.") from error
    recipe = build(Recipe, table, path.name)
    check(recipe, path.name)
    return recipe
