"""`covidseg recipes`: list the recipes, or print one."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .printing import print_text
from .session import Session
from .tables import add_json, print_json, print_table

if TYPE_CHECKING:
    from ..recipe import Recipe

SUMMARY = "list the recipes: published systems and baselines"
DESCRIPTION = "List the recipes, or print one with all that it defines."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `covidseg recipes` and their arguments; without an action it lists the recipes."""
    parser.set_defaults(action=_list, json=False)
    add_json(parser)
    actions = parser.add_subparsers(metavar="ACTION")
    listing = actions.add_parser("list", help="list the recipes (the default)")
    add_json(listing)
    listing.set_defaults(action=_list)

    show = actions.add_parser(
        "show",
        help="print a recipe as TOML, or what its networks cost",
        description="Print the TOML file of a recipe. With --resolved or --costs, print something else in its place.",
    )
    show.add_argument("name", metavar="NAME", help="recipe, or path of its .toml file")
    printed = show.add_mutually_exclusive_group()
    printed.add_argument(
        "--resolved", action="store_true", help="the whole recipe, with what it takes from the one it is based on"
    )
    printed.add_argument(
        "--costs",
        action="store_true",
        help="a summary with the parameters, FLOPs and training memory of each network (takes some seconds)",
    )
    show.add_argument("--ablation", metavar="ROW", help="with --resolved or --costs: this row of its paper's ablation")
    show.set_defaults(action=_show)


def run(session: Session) -> None:
    """Run one action.

    Raises:
        InputError: The arguments cannot be used, or the recipe is not valid.
        Cancelled: The user has stopped the run.
    """
    if session.options.json and session.options.action is not _list:
        raise InputError("--json prints the list of recipes: give it without another action.")
    session.options.action(session)


def _list(session: Session) -> None:
    from .. import recipes

    outlines = [recipes.outline(name) for name in recipes.names()]
    if session.options.json:
        print_json([_record(recipe) for recipe in outlines])
    else:
        print_table(["NAME", "NETWORKS", "INPUT", "DESCRIPTION"], [_row(recipe) for recipe in outlines])


def _record(recipe: Recipe) -> dict[str, Any]:
    """Return what `covidseg recipes --json` says about a recipe."""
    return {
        "name": recipe.name,
        "title": recipe.title,
        "summary": recipe.summary,
        "source": recipe.source,
        "stages": {
            name: {"network": stage.network, "input_shape": stage.input_shape} for name, stage in recipe.stages.items()
        },
        "lungs_from": recipe.lungs_from,
    }


def _row(recipe: Recipe) -> list[str]:
    stages = recipe.stages.values()
    networks = dict.fromkeys(stage.network for stage in stages)
    inputs = dict.fromkeys("2D" if stage.slices is not None else "3D" for stage in stages)
    return [recipe.name, ", ".join(networks), ", ".join(inputs), f"{recipe.title}. {recipe.summary}"]


def _show(session: Session) -> None:
    from .. import recipes

    options = session.options
    if options.ablation and not (options.resolved or options.costs):
        raise InputError(
            "A row of an ablation does not have a file of its own: give --resolved or --costs with --ablation."
        )
    if options.costs:
        with session.defer_interrupts():
            from ..recipes.listing import describe

        print_text(describe(recipes.load(options.name, options.ablation)))
    elif options.resolved:
        print_text(recipes.resolved_toml(options.name, options.ablation), end="")
    else:
        recipes.load(options.name)  # reports an invalid recipe instead of printing it
        print_text(recipes.find(options.name).read_text(encoding="utf-8"), end="")
