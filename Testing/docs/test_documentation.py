"""README.md, CONTRIBUTING.md and the pages of the site name files and code that exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
#: A path of the repository that is marked as code.
NAMED = re.compile(r"`((?:CovidSegLib|CovidSeg|Testing|docs|examples|Resources)/[\w./-]*)`")
LINKED = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
#: Files that CONTRIBUTING.md asks its reader to create.
PLACEHOLDERS = re.compile(r"mynet|my-net|my_layout|my-page|lesions\.(py|ui)|test_lesions")
#: Anything marked as code that is a Python name, perhaps dotted.
IDENTIFIER = re.compile(r"`(?:self\.)?([A-Za-z_]\w*(?:\.\w+)*)`")
FILE_NAME = re.compile(r".*\.(py|md|toml)")
#: Names in CONTRIBUTING.md that are defined elsewhere, or that it asks its reader to create.
NOT_DEFINED_HERE = {"COVIDSEG_DATA", "FOLDER", "ModuleList", "None", "MyNet", "LesionsLogic", "lesionsPanel"}

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


def _defined(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a file defines or imports: modules, classes, functions, arguments, variables, attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.alias):
            yield node.name.rpartition(".")[2]
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.id if isinstance(node, ast.Name) else node.attr


def test_contributing_names_code_that_exists() -> None:
    files = [path for folder in ("CovidSegLib", "CovidSeg", "Testing") for path in (ROOT / folder).rglob("*.py")]
    known = {part for path in files for part in path.relative_to(ROOT).with_suffix("").parts}
    known.update(name for path in files for name in _defined(ast.parse(path.read_text(encoding="utf-8"))))
    marked = set(IDENTIFIER.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))) - NOT_DEFINED_HERE
    # Lower-case words without an underscore, such as `find`, are also options, packages and commands.
    named = {name for name in marked if re.search("[A-Z_.]", name) and not FILE_NAME.fullmatch(name)}
    assert {"OVERLAP_METRICS", "Measurement.values", "create_sections", "CovidSegLogic"} <= named
    assert sorted(name for name in named if not known.issuperset(name.split("."))) == []


def test_tests_that_the_documentation_names_exist() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")))
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "Testing").rglob("test_*.py"))
    assert named and [name for name in named if f"def {name}(" not in sources] == []


def test_readme_is_short_and_has_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= 900
    (block,) = re.findall(r"^```set-up\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(block.splitlines()) == 2
