"""The report as one HTML file."""

from __future__ import annotations

from typing import Any

from ..notices import NOT_FOR_DIAGNOSIS
from . import wording
from .content import ReportContent
from .pictures import Pictures
from .review import CO_RADS, RSNA
from .templates import environment


def report_html(content: ReportContent, pictures: Pictures) -> str:
    """Return the report as HTML that needs no other file and no network.

    Args:
        content: What it says.
        pictures: Its pictures.
    """
    values: dict[str, Any] = {
        "content": content,
        "pictures": pictures,
        "wording": wording,
        "notice": NOT_FOR_DIAGNOSIS,
        "co_rads": CO_RADS,
        "rsna": RSNA,
    }
    return environment().get_template("report.html.jinja").render(values)
