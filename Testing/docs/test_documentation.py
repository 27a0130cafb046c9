"""README.md, CONTRIBUTING.md and the pages of the site name files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
#: A path of the repository that is marked as code.
NAMED = re.compile(r"`((?:CovidSegLib|CovidSeg|Testing|docs|examples|Resources)/[\w./-]*)`")
LINKED = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
#: Files that CONTRIBUTING.md asks its reader to create.
PLACEHOLDERS = re.compile(r"mynet|my-net|my_layout|my-page|lesions\.(py|ui)|test_lesions")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@pages
def test_named_files_exist(page: Path) -> None:
    named = NAMED.findall(page.read_text(encoding="utf-8"))
    missing = [path for path in named if not (ROOT / path).exists() and not PLACEHOLDERS.search(path)]
    assert missing == []


@pages
def test_linked_files_exist(page: Path) -> None:
    linked = LINKED.findall(page.read_text(encoding="utf-8"))
    # The pages of the API reference are written when the site is built.
    assert [path for path in linked if not (page.parent / path).exists() and "api/packages" not in path] == []


def test_readme_is_short_and_has_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= 900
    (block,) = re.findall(r"^```set-up\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(block.splitlines()) == 2
