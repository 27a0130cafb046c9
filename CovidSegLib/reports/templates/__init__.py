"""The templates of report and viewer."""

from __future__ import annotations

import base64
from pathlib import Path

import jinja2

_FOLDER = Path(__file__).parent


def environment() -> jinja2.Environment:
    """Return the environment of the templates. All values are escaped; a name that is not defined is an error."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["jpeg"] = _jpeg
    return made


def _jpeg(content: bytes) -> str:
    """Return a JPEG as the address of an image."""
    return "data:image/jpeg;base64," + base64.b64encode(content).decode("ascii")
