"""Read docstrings as plain text: `name` is code, and asterisks, bars and backslashes are literal.

Without this, Sphinx reads `*spatial` as the start of emphasis and `|a - b|` as a substitution.
"""

from __future__ import annotations

import re

from sphinx.application import Sphinx
from sphinx.domains.python._object import PyObject

#: Code in single or double backticks that no role precedes, or a character with a meaning in reStructuredText.
MARKUP = re.compile(r"(?<![:`\w])(`{1,2})(?!`)(.+?)\1(?!`)|([*|\\]|(?<=\w)_(?!\w))")


def plain(line: str) -> str:
    """Return a line of prose as reStructuredText."""
    return MARKUP.sub(lambda match: f"``{match[2]}``" if match[2] else f"\\{match[3]}", line)


def process(app: Sphinx, kind: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Rewrite a docstring in place, except for examples, which run from >>> to an empty line."""
    is_example = False
    for number, line in enumerate(lines):
        is_example = bool(line.strip()) and (is_example or line.lstrip().startswith(">>>"))
        if not is_example:
            lines[number] = plain(line)
    keep_colons(kind, lines)


def keep_colons(kind: str, lines: list[str]) -> None:
    """Keep napoleon from taking the text before the first colon for a type. Types are annotations here."""
    if kind in ("attribute", "data", "property") and ":" in lines[0]:
        lines[0] = f": {lines[0]}"
    for number, line in enumerate(lines[:-1]):
        if line.strip() in ("Returns:", "Yields:") and ":" in lines[number + 1]:
            text = lines[number + 1].lstrip()
            lines[number + 1] = f"{lines[number + 1][: -len(text)]}: {text}"


def readable(
    app: Sphinx, kind: str, name: str, thing: object, options: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Write `...` for the default of a dataclass field that a factory makes, which Sphinx could not parse."""
    return signature and signature.replace("<factory>", "..."), returns


def setup(app: Sphinx) -> dict[str, bool]:
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"  # as docstrings have it
    app.connect("autodoc-process-signature", readable)
    app.connect("autodoc-process-docstring", process, priority=400)  # before napoleon, which writes markup
    return {"parallel_read_safe": True}
