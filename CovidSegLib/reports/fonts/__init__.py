"""Fonts that the PDF embeds, so that names in any common script come out right on every computer.

`LICENCES.txt` has their licences. They are used unchanged.
"""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent
#: Latin, Greek, Cyrillic, Arabic and Hebrew.
REGULAR, BOLD = _FOLDER / "DejaVuSans.ttf", _FOLDER / "DejaVuSans-Bold.ttf"
#: Chinese, Japanese and Korean.
EAST_ASIAN = _FOLDER / "DroidSansFallback.ttf"
