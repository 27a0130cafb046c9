"""Settings of the user that are kept between sessions of Slicer."""

from __future__ import annotations

import slicer

#: Group of the settings.
GROUP = "CovidSeg"


def read(key: str) -> str:
    """Return a setting, or an empty string."""
    value = slicer.app.userSettings().value(f"{GROUP}/{key}")
    return "" if value is None else str(value)


def write(key: str, value: str) -> None:
    """Keep a setting."""
    slicer.app.userSettings().setValue(f"{GROUP}/{key}", value)
