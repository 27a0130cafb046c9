"""Draw the layers of the library from the contract in pyproject.toml that CI checks."""

from __future__ import annotations

import html
import re
import tomllib
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def layers(pyproject: Path) -> list[list[str]]:
    """Return the layers from top to bottom, each a list of siblings, from the contract of type "layers".

    Raises:
        LookupError: There is no such contract.
    """
    linter = tomllib.loads(pyproject.read_text(encoding="utf-8"))["tool"].get("importlinter", {})
    for contract in linter.get("contracts", []):
        if contract["type"] == "layers":
            return [re.split(r"\s*[|:]\s*", layer) for layer in contract["layers"]]
    raise LookupError(f"{pyproject.name} has no import-linter contract of type layers")


class LayersDirective(SphinxDirective):
    """`{layers}`: the layers as boxes, the highest at the top."""

    def run(self) -> list[nodes.Node]:
        pyproject = Path(self.env.srcdir).parent / "pyproject.toml"
        self.env.note_dependency(str(pyproject))
        try:
            rows = layers(pyproject)
        except LookupError as error:
            raise self.error(str(error)) from error
        boxes = "\n".join(f"<div>{''.join(f'<code>{html.escape(name)}</code>' for name in row)}</div>" for row in rows)
        label = "The layers of CovidSegLib, the highest at the top"
        return [nodes.raw("", f'<div class="layers" role="img" aria-label="{label}">\n{boxes}\n</div>', format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("layers", LayersDirective)
    return {"parallel_read_safe": True}
