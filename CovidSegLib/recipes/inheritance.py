"""A recipe that is like another one: what it takes from there, and what it says in its place.

    like = "unet-cascade"                  # a recipe of the library, or a path relative to this file
    without = ["training.schedule"]        # what is left out of it; a name of tables, with dots
    [training]
    batch = 8

Tables are merged key by key; anything else replaces what was there. A network, loss, optimiser or schedule of another
name replaces the earlier one with its arguments, and `slices` replaces `patches` and the other way round. Not taken are
name and title, which without words of its own are those of the file, and what the paper of the other recipe reports.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from ..errors import InputError

#: What a recipe says for itself.
OWN = ("name", "title", "reported")
#: Keys that name a thing, and which of those beside them are its arguments; None for all of them.
NAMING = {"network": ("arguments",), "name": None}
#: Of which a stage has one.
ALTERNATIVES = (("slices", "patches"),)

Table = dict[str, Any]


def read(path: Path, library: Path) -> tuple[Table, str]:
    """The table of a recipe's file with all that it takes from others.

    Args:
        path: The file.
        library: The folder of the recipes that are called by name.

    Returns:
        The table, without `like` and `without`, and what its errors call it: the files that it is made of.

    Raises:
        InputError: A file is missing or no TOML, it is like itself, or it leaves out what is not there.
    """
    table, files = _read(path, library, ())
    first, *others = files
    return table, f"{first} (like {', '.join(others)})" if others else first


def _read(path: Path, library: Path, heirs: tuple[Path, ...]) -> tuple[Table, list[str]]:
    chain = (*heirs, path.resolve())
    if chain[-1] in heirs:
        circle = ", ".join(each.name for each in chain)
        raise InputError(f"The recipe {path.name} is like itself ({circle}); take “like” out of one of them.")
    table = _parse(path)
    like, without = table.pop("like", None), table.pop("without", [])
    if like is None:
        if without:
            raise InputError(f"The recipe {path.name} has “without”, which goes with “like”; leave it out.")
        return table, [path.name]
    if not isinstance(like, str):
        raise InputError(f"The recipe {path.name} has a wrong value for “like”; it must be a recipe's name or file.")
    parent = path.parent / like if like.endswith(".toml") else library / f"{like}.toml"
    if not parent.is_file():
        known = ", ".join(sorted(each.stem for each in library.glob("*.toml")))
        raise InputError(
            f"The recipe {path.name} is like “{like}”, which is not there; give one of {known}, or a path relative to "
            "its own file."
        )
    inherited, files = _read(parent, library, chain)
    inherited = {key: value for key, value in inherited.items() if key not in OWN}
    if not isinstance(without, list) or not all(isinstance(each, str) for each in without):
        raise InputError(f"The recipe {path.name} has a wrong value for “without”; it must be a list of texts.")
    for key in without:
        _leave_out(inherited, key, f"The recipe {path.name} is without “{key}”, which is not in {files[0]}")
    table.setdefault("name", path.stem)
    table.setdefault("title", table["name"])
    return merge_tables(inherited, table), [path.name, *files]


def _parse(path: Path) -> Table:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # of TOML or of UTF-8
        raise InputError(f"The recipe {path.name} is not valid TOML: {error}.") from error
    except OSError as error:
        raise InputError(f"The recipe {path.name} cannot be read ({error.strerror}); check the file.") from error


def merge_tables(earlier: Table, later: Table) -> Table:
    """Two tables as one, in which the later one wins; neither is changed."""
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


def _leave_out(table: Table, key: str, otherwise: str) -> None:
    *tables, last = key.split(".")
    for name in tables:
        table = table.get(name, {})
        if not isinstance(table, dict):
            break
    if not isinstance(table, dict) or last not in table:
        raise InputError(f"{otherwise}; take it out of “without”.")
    del table[last]
