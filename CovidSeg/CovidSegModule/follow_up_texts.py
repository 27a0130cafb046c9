"""A comparison of two CTs as texts: headline and cells of the tables. Reports are those of the child process."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from .logic.results import format_number
from .terms import translated


def headline(report: dict[str, Any]) -> str:
    """Return what has changed in both lungs, in one line."""
    both = next(region for region in report["regions"] if region["region"] == "both lungs")
    before, now = both["prior"], both["current"]
    text = _("Infection {before} → {now} ml ({difference} ml), {share_before} → {share_now} % of the lungs").format(
        before=format_number(before["infection_ml"], 1),
        now=format_number(now["infection_ml"], 1),
        difference=signed(both["difference"]["infection_ml"], 1),
        share_before=format_number(before["involvement_percent"], 1),
        share_now=format_number(now["involvement_percent"], 1),
    )
    days = report["days"]
    return text if days is None else text + " " + _("in {n} days").format(n=days)


def changes_line(report: dict[str, Any]) -> str:
    """Return how many lesions changed in which way, without the ways that do not occur."""
    names = change_names()
    counts = [f"{count} {names[change]}" for change, count in report["lesions"]["count"].items() if count]
    return _("Lesions: {counts}").format(counts=", ".join(counts)) if counts else _("No lesions in either CT")


def change_names() -> dict[str, str]:
    """Return the names of the changes, translated."""
    return {
        "new": _("new"),
        "grown": _("grown"),
        "stable": _("stable"),
        "shrunken": _("shrunken"),
        "resolved": _("resolved"),
        "not covered": _("not covered"),
    }


def lesion_cells(lesion: dict[str, Any]) -> list[str]:
    """Return the texts of a row of the table of lesions."""
    sides = {"right": _("right"), "left": _("left"), None: "–"}
    zones = {"upper": _("upper"), "middle": _("middle"), "lower": _("lower"), None: "–"}
    return [
        change_names()[lesion["change"]],
        sides[lesion["lung"]],
        zones[lesion["zone"]],
        format_number(lesion["prior_ml"], 1),
        format_number(lesion["current_ml"], 1),
        signed(lesion["difference_ml"], 1),
        signed(lesion["difference_percent"]),
    ]


def region_cells(region: dict[str, Any]) -> list[str]:
    """Return the texts of a row of the table of lungs and zones. There is room for four characters in a number."""
    cells = [translated(region["region"])]
    for name in ("infection_ml", "involvement_percent"):
        before, now, difference = (region[side][name] for side in ("prior", "current", "difference"))
        cells += [format_number(value, _decimals(value)) for value in (before, now)]
        cells.append(signed(difference, _decimals(difference)))
    return cells


def _decimals(value: float | None) -> int:
    return 0 if abs(value or 0.0) >= 9.95 else 1


def signed(value: float | None, decimals: int = 0) -> str:
    """Return a difference with its sign, such as "+2.3"; a dash for None."""
    if value is None:
        return "–"
    rounded = round(value, decimals) + 0.0  # adding zero turns -0.0 into 0.0
    return ("+" if rounded > 0 else "") + format_number(rounded, decimals)
