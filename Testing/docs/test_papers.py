"""docs/papers.md: every file, name, recipe, row and value in its tables exists, and no cell is empty."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from CovidSegLib import models, recipes

PAGE = Path(__file__).parents[2] / "docs" / "papers.md"
PAPERS = ("QC-HC U-Net", "RA-UNet", "COVID-SegNet", "FV + PASPP U-Net with deep supervision", "CHS-Net")
STATUS = {"same", "chosen", "not possible"}
LINK = re.compile(r"\[`(\w+)`\]\(([^)\s]+)\)")
#: `RECIPE: KEY = VALUE`, or `RECIPE [ROW]: KEY = VALUE`.
SETTING = re.compile(r"`([a-z0-9-]+)(?: \[([^\]]+)\])?: ([\w.]+) = ([^`]+)`")


def tables() -> dict[str, list[list[str]]]:
    """Return the rows of the table of each paper."""
    found: dict[str, list[list[str]]] = {}
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        title, _, text = section.partition("\n")
        if title in PAPERS:
            lines = [line for line in text.splitlines() if line.startswith("|")][2:]
            found[title] = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return found


@cache
def names_in(path: Path) -> frozenset[str]:
    """Return the names that a file defines: classes, functions, and variables of the module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        defined |= {target.id for target in targets if isinstance(target, ast.Name)}
    return frozenset(defined)


@cache
def recipe_table(name: str, row: str | None) -> dict[str, Any]:
    return tomllib.loads(recipes.resolved_toml(name, row))


def value_of(table: Any, key: str) -> Any:
    for part in key.split("."):
        table = table[int(part)] if part.isdigit() else table[part]
    return table


def settings() -> Iterator[tuple[str, str | None, str, str]]:
    for match in SETTING.finditer(PAGE.read_text(encoding="utf-8")):
        yield match[1], match[2], match[3], match[4]


def test_each_paper_has_a_table_without_empty_cells() -> None:
    assert tuple(tables()) == PAPERS
    for title, rows in tables().items():
        assert len(rows) >= 15, title
        for row in rows:
            assert len(row) == 3 and all(row), row
            assert row[2] in STATUS, row
            # What is the same or was chosen can be found, and what is not possible has a reason.
            assert LINK.search(row[1]) or SETTING.search(row[1]) if row[2] != "not possible" else len(row[1]) > 20, row


def test_linked_names_are_defined_in_their_files() -> None:
    links = LINK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(links) > 60
    for name, path in links:
        assert name in names_in((PAGE.parent / path).resolve()), f"{name} in {path}"


def test_recipes_have_the_stated_values() -> None:
    stated = list(settings())
    assert len(stated) > 90
    for name, row, key, value in stated:
        assert value_of(recipe_table(name, row), key) == tomllib.loads(f"v = {value}")["v"], f"{name} [{row}]: {key}"


def test_a_wrong_value_would_be_noticed() -> None:
    with pytest.raises(KeyError):
        value_of(recipe_table("ra-unet", None), "training.nothing")
    assert value_of(recipe_table("ra-unet", None), "training.batch") != 5


@pytest.mark.parametrize(
    "name", ["qc-hc-unet", "qc-hc-unet-msd", "ra-unet", "covid-segnet", "fv-paspp-ds-unet", "chs-net", "raiu-net"]
)
def test_every_row_of_the_papers_is_on_the_page(name: str) -> None:
    """Also the other way round: what a recipe reports is in the table of its paper."""
    named = {(recipe, row) for recipe, row, _, _ in settings()}
    own = recipes.outline(name).title
    missing = [row["row"] for row in recipes.outline(name).reported["ablation"][:-1] if (name, row["row"]) not in named]
    assert missing == [], own


def test_the_results_are_those_of_the_models_that_come_with_the_library() -> None:
    """Means over the patients in the cards, with both protocols, beside the figures of the papers."""
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if re.match(r"\| `[a-z-]+-2d` \|", line)]
    shown = {cells[1].strip("` "): [cell.strip() for cell in cells[2:-1]] for cells in (row.split("|") for row in rows)}
    assert shown.keys() == {name for name in models.names() if name.endswith("-2d")} and len(shown) >= 2
    for name, cells in shown.items():
        card, reported = models.find_model(name).card, recipes.outline(name.removesuffix("-2d")).reported
        clinical, paper = card["results"]["masks"], card["results_of_paper_protocol"]["masks"]
        assert clinical.keys() == paper.keys() and not {*clinical} & models.find_model(name).seen

        def mean(masks: dict[str, Any], structure: str, metric: str) -> str:
            values = [of[structure][metric] for of in masks.values() if structure in of]
            return f"{sum(values) / len(values):.3f}" if values else "-"

        def printed(structure: str, given: dict[str, Any] = reported) -> str:
            return f"{given[structure]['dice']:g}" if structure in given else "-"

        infection = [mean(masks, "infection", "dice") for masks in (clinical, paper)]
        infection += [mean(paper, "infection", metric) for metric in ("sensitivity", "precision")]
        lungs = [mean(masks, "lungs", "dice") for masks in (clinical, paper)]
        assert cells[1:] == [*infection, printed("infection"), *lungs, printed("lungs")], name
        assert models.find_model(name).weights.stat().st_size < 1.5e6
        assert any("few minutes" in limit for limit in card["limits"])
