"""The lesions of a result as rows of a table."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from CovidSegLib.quantification.lesion_measures import Lesion
from CovidSegLib.quantification.lesion_tracking import ACCEPTED, REJECTED

from .terms import translated

COLUMNS = ("number", "side", "zone", "lobe", "volume_ml", "mean_hu", "mean_probability", "state")


def sort(lesions: list[Lesion], column: str, descending: bool = False) -> list[Lesion]:
    """Return lesions sorted by a column, those without a value last."""
    known = [lesion for lesion in lesions if getattr(lesion, column) is not None]
    order = {"zone": ["upper", "middle", "lower"], "state": ["edited", "proposed", "accepted", "rejected"]}.get(column)

    def key(lesion: Lesion) -> Any:
        value = getattr(lesion, column)
        return order.index(value) if order else value

    rest = [lesion for lesion in lesions if getattr(lesion, column) is None]
    return sorted(known, key=key, reverse=descending) + rest


def cells(lesion: Lesion) -> list[str]:
    """Return the texts of a row of the table, in the order of `COLUMNS`."""
    words = {
        "right": _("right"),
        "left": _("left"),
        "outside": _("outside"),
        "upper": _("upper"),
        "middle": _("middle"),
        "lower": _("lower"),
        "proposed": _("proposed"),
        ACCEPTED: _("accepted"),
        REJECTED: _("rejected"),
        "edited": _("edited"),
    }
    return [
        str(lesion.number),
        words[lesion.side],
        words.get(lesion.zone or "", "–"),
        translated(lesion.lobe) if lesion.lobe else "–",
        f"{lesion.volume_ml:.1f}" if lesion.volume_ml < 99.95 else f"{lesion.volume_ml:.0f}",
        f"{lesion.mean_hu:.0f}".replace("-", "−"),
        "–" if lesion.mean_probability is None else f"{lesion.mean_probability:.2f}",
        words[lesion.state],
    ]
