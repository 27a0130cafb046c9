"""The header of the overview, with a banner for phantoms and untrained models."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from ...notices import NOT_FOR_DIAGNOSIS
from ...segmentation import Segmentation
from ...volume import Volume
from .. import palette
from .layout import HEADER, SIZE

SYNTHETIC = "SYNTHETIC PHANTOM - not a patient"
UNTRAINED = "UNTRAINED - the masks mean nothing"


def draw_header(figure: Figure, volume: Volume, segmentation: Segmentation) -> None:
    """Draw the header."""
    middle = 1 - HEADER / 2 / SIZE[1]
    figure.text(0.008, middle, "CovidSeg", color=palette.INK, fontsize=20, weight="bold", va="center")
    figure.text(0.098, middle, "lungs and infection in chest CT", color=palette.FAINT_INK, fontsize=12, va="center")
    figure.text(
        0.992, middle, NOT_FOR_DIAGNOSIS, color=palette.WARNING, fontsize=15, weight="bold", ha="right", va="center"
    )
    if banner := _banner(volume, segmentation):
        figure.text(
            0.53,
            middle,
            banner,
            color="black",
            fontsize=13,
            weight="bold",
            ha="center",
            va="center",
            bbox={"facecolor": palette.MARK, "edgecolor": "none", "pad": 5},
        )


def _banner(volume: Volume, segmentation: Segmentation) -> str:
    """Return what must not be overlooked: that there is no patient, or no trained model."""
    synthetic = any("synthetic" in str(value).lower() for value in volume.source.values())
    model = segmentation.provenance.get("model")
    untrained = isinstance(model, Mapping) and model.get("trained") is False
    return "    ".join([SYNTHETIC] * synthetic + [UNTRAINED] * untrained)
