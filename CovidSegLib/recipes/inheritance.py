"""Inheritance between recipes.

    like = "unet-cascade"                  # one of the library's recipes, or a path relative to this file
    without = ["training.schedule"]        # keys that are not inherited, with dots between the names of tables
    [training]
    batch = 8

Tables are merged key by key. All other values replace the inherited ones. A network, loss, optimiser or schedule with
another name replaces the inherited one including its arguments. `slices` replaces `patches` and vice versa. `name`,
`title` and the reported results are not inherited; name and title default to the name of the file.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..storage.limited import read_limited_text

#: Keys that are not inherited.
OWN = ("name", "title", "reported")
#: Keys that name a component, and the keys beside them that hold its arguments; None if all of them do.
NAMING = {"network": ("arguments",), "name": None}
#: Keys that exclude each other in a stage.
ALTERNATIVES = (("slices", "patches"),)

Table = dict[str, Any]


def read(path: Path, library: Path) -> tuple[Table, str]:
    """Read the table of a recipe with everything that it inherits.

    Args:
        path: TOML file of the recipe.
        library: Folder of the library's recipes.

    Returns:
        The table without `like` and `without`, and its name in error messages, which lists the files.

    Raises:
        InputError: A file is missing or not valid TOML, a recipe inherits from itself, or `without` names a missing
        key.
    """
    table, files = _read(path, library, ())
    first, *others = files
    return table, f"{first} (like {', '.join(others)})" if others else first


def _read(path: Path, library: Path, heirs: tuple[Path, ...]) -> tuple[Table, list[str]]:
    chain = (*heirs, path.resolve())
    if chain[-1] in heirs:
        cycle = ", ".join(each.name for each in chain)
        raise InputError(f'The recipe {path.name} inherits from itself ({cycle}). Remove "like" from one of them.')
    table = _parse(path)
    like, without = table.pop("like", None), table.pop("without", [])
    if like is None:
        if without:
            raise InputError(f'The recipe {path.name} has "without" but no "like". Remove "without".')
        return table, [path.name]
    if not isinstance(like, str):
        raise InputError(
            f'The recipe {path.name} has a wrong value for "like". It must be the name or the file of a recipe.'
        )
    parent = _find_parent(path, like, library)
    inherited, files = _read(parent, library, chain)
    inherited = {key: value for key, value in inherited.items() if key not in OWN}
    if not isinstance(without, list) or not all(isinstance(each, str) for each in without):
        raise InputError(f'The recipe {path.name} has a wrong value for "without". It must be a list of strings.')
    for key in without:
        remove_key(inherited, key, f'"without" of the recipe {path.name} names "{key}", which is not in {files[0]}')
    table.setdefault("name", path.stem)
    table.setdefault("title", table["name"])
    return merge_tables(inherited, table), [path.name, *files]


def _find_parent(path: Path, like: str, library: Path) -> Path:
    parent = path.parent / like if like.endswith(".toml") else library / f"{like}.toml"
    if not parent.is_file():
        known = ", ".join(sorted(each.stem for each in library.glob("*.toml")))
        raise InputError(
            f'The recipe {path.name} inherits from "{like}", which does not exist. Give one of {known}, or a path '
            "relative to its own file."
        )
    return parent


def _parse(path: Path) -> Table:
    try:
        return tomllib.loads(read_limited_text(path))
    except RecursionError as error:
        raise InputError(f"The recipe {path.name} is nested too deeply. Correct it.") from error
    except ValueError as error:  # from TOML or from UTF-8
        raise InputError(f"The recipe {path.name} is not valid TOML: {error}.") from error
    except OSError as error:
        raise InputError(f"The recipe {path.name} cannot be read ({error.strerror}). Check the file.") from error


def merge_tables(earlier: Table, later: Table) -> Table:
    """Merge two tables; values of the later one win. The arguments are not changed.

    Example:
        >>> merge_tables({"loss": {"name": "dice-ce", "ce": 1.0}, "batch": 2}, {"loss": {"name": "dice"}})
        {'loss': {'name': 'dice'}, 'batch': 2}
    """
    earlier = dict(earlier)
    for key, arguments in NAMING.items():
        if key in later and key in earlier and later[key] != earlier[key]:
            for argument in arguments or list(earlier):
                earlier.pop(argument, None)
    for one, other in ALTERNATIVES:
        for given, dropped in ((one, other), (other, one)):
            if given in later and dropped not in later:
                earlier.pop(dropped, None)
    for key, value in later.items():
        both = isinstance(value, dict) and isinstance(earlier.get(key), dict)
        earlier[key] = merge_tables(earlier[key], value) if both else value
    return earlier


def remove_key(table: Table, key: str, error: str) -> None:
    """Remove a key from a table in place.

    Args:
        table: The table.
        key: The key, with dots between the names of tables.
        error: Start of the error message.

    Raises:
        InputError: There is no such key.
    """
    *tables, last = key.split(".")
    for name in tables:
        table = table.get(name, {})
        if not isinstance(table, dict):
            break
    if not isinstance(table, dict) or last not in table:
        raise InputError(f"{error}. Remove it there.")
    del table[last]
