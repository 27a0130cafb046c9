"""`covidseg recipes`: list the recipes, or print one."""

from __future__ import annotations

import argparse

from ..errors import InputError
from .session import Session

SUMMARY = "list the recipes: published systems and baselines"
DESCRIPTION = "List the recipes, or print one."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `covidseg recipes` and their arguments; without an action it lists the recipes."""
    parser.set_defaults(action=_list)
    actions = parser.add_subparsers(metavar="ACTION")
    listing = actions.add_parser("list", help="list the recipes (the default)")
    listing.set_defaults(action=_list)

    show = actions.add_parser("show", help="print the TOML file of a recipe")
    show.add_argument("name", metavar="NAME", help="recipe, or path of its .toml file")
    show.add_argument("--resolved", action="store_true", help="include what it inherits from other recipes")
    show.add_argument("--ablation", metavar="ROW", help="with --resolved: this row of its paper's ablation")
    show.set_defaults(action=_show)


def run(session: Session) -> None:
    """Run one action.

    Raises:
        InputError: The arguments cannot be used.
        Cancelled: The user has stopped the run.
    """
    session.options.action(session)


def _list(session: Session) -> None:
    from .. import recipes

    with session.defer_interrupts():
        from ..recipes.listing import describe

    for name in recipes.names():
        print(describe(recipes.load(name)), flush=True)


def _show(session: Session) -> None:
    from .. import recipes

    options = session.options
    if options.ablation and not options.resolved:
        raise InputError("A row of an ablation does not have a file of its own: give --resolved with --ablation.")
    if options.resolved:
        print(recipes.resolved_toml(options.name, options.ablation), end="")
        return
    recipes.load(options.name)  # reports an invalid recipe instead of printing it
    print(recipes.find(options.name).read_text(encoding="utf-8"), end="")
