"""Colours of all figures: light marks on a dark background, as radiologists view CT."""

from __future__ import annotations

BACKGROUND = "#101418"
#: Panels that hold a picture.
PANEL = "#000000"
INK = "#f2f4f6"
#: Text that matters less.
FAINT_INK = "#9aa4ae"
#: Directions, slice numbers and banners.
MARK = "#ffe27a"
WARNING = "#ffb84d"

#: Outlines of masks.
TARGET = "#59c3ff"
PREDICTION = "#ffb020"

LUNGS = "#9cc3e6"
RIGHT_LUNG = "#4fa3ff"
LEFT_LUNG = "#45d6e8"
INFECTION = "#ff5a36"
