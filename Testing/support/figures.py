"""What a figure shows."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.text import Text


def texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))
