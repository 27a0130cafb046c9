"""Turn links from pages to source files, which work in a checkout, into links to the repository on GitHub."""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

#: A Markdown link to a path of the repository outside docs/ that is not a picture.
LINK = re.compile(r"(?<!!)(\[[^\]]*\])\(\.\./(?!Resources/Screenshots)([\w./-]+)\)")


def link_to_repository(app: Sphinx, docname: str, source: list[str]) -> None:
    """Rewrite the links of a page. A path that does not exist stays, so that MyST warns about it."""
    root = Path(app.srcdir).parent

    def link(match: re.Match[str]) -> str:
        text, path = match.groups()
        if not (root / path).exists():
            return match.group()
        kind = "tree" if (root / path).is_dir() else "blob"
        return f"{text}({app.config.html_theme_options['source_repository']}/{kind}/main/{path})"

    source[0] = LINK.sub(link, source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", link_to_repository)
    return {"parallel_read_safe": True}
