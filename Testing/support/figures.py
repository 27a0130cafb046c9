"""Content of matplotlib figures."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.text import Text


def texts(figure: Figure) -> str:
    """Return all texts of a figure, joined by line breaks."""
    return "\n".join(text.get_text() for text in figure.findobj(Text))
