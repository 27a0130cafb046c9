"""Write the pages of the API reference from the package tree: one for each package and each top-level module.

New modules appear by themselves. The files are written to `docs/api/packages`, which git ignores.
"""

from __future__ import annotations

import ast
import pkgutil
from pathlib import Path

from plain_docstrings import plain
from sphinx.application import Sphinx

LIBRARY = "CovidSegLib"
INTRODUCTION = """Packages and modules
====================

Every public class and function, by package. Names that begin with an underscore are private. See :doc:`/design` for
which package may import which.

"""


def module_names(folder: Path, prefix: str) -> list[str]:
    """Return the public modules below a folder, those of a subpackage directly after it."""
    names = []
    for found in sorted(pkgutil.iter_modules([str(folder)]), key=lambda module: module.name):
        if not found.name.startswith("_"):
            names.append(f"{prefix}.{found.name}")
            if found.ispkg:
                names += module_names(folder / found.name, f"{prefix}.{found.name}")
    return names


def summary(root: Path, name: str) -> str:
    """Return the first line of a module's docstring, without importing the module."""
    path = root.joinpath(*name.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").partition("\n")[0]


def heading(text: str, underline: str) -> str:
    return f"{text}\n{underline * len(text)}\n"


def page(names: list[str]) -> str:
    """Return the page of a package or a top-level module, which is the first of `names`."""
    first, *others = names
    parts = [heading(first, "="), f".. automodule:: {first}\n"]
    for name in others:
        parts += [heading(name.removeprefix(f"{first}."), "-"), f".. automodule:: {name}\n"]
    return "\n".join(parts)


def index(root: Path, pages: dict[str, list[str]]) -> str:
    """Return the page that lists all packages and modules."""
    rows = [f"   * - :doc:`{name} <{name}>`\n     - {plain(summary(root, name))}\n" for name in pages]
    table = ".. list-table::\n   :widths: 30 70\n\n" + "".join(rows)
    entries = "".join(f"   {name.removeprefix(f'{LIBRARY}.')} <{name}>\n" for name in pages)
    tree = f".. toctree::\n   :hidden:\n\n{entries}"
    return f"{INTRODUCTION}{table}\n{tree}"


def write_pages(app: Sphinx) -> None:
    """Write pages that are new or have changed, and remove those of packages that no longer exist."""
    root, folder = Path(app.srcdir).parent, Path(app.srcdir) / "api" / "packages"
    names = module_names(root / LIBRARY, LIBRARY)
    tops = [name for name in names if name.count(".") == 1]
    pages = {top: [name for name in names if name == top or name.startswith(f"{top}.")] for top in tops}
    texts = {f"{top}.rst": page(members) for top, members in pages.items()} | {"index.rst": index(root, pages)}
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.rst"):
        if file.name not in texts:
            file.unlink()
    for name, text in texts.items():
        file = folder / name
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def skip_other_libraries(app: Sphinx, kind: str, name: str, thing: object, skip: bool, options: object) -> bool | None:
    """Skip members from other libraries, whose signatures autodoc would format before it excludes them."""
    module = getattr(thing, "__module__", None)
    return True if kind == "module" and isinstance(module, str) and not module.startswith(LIBRARY) else None


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-skip-member", skip_other_libraries)
    return {"parallel_read_safe": True}
