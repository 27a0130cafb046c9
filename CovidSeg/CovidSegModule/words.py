"""What the panel says, in a radiologist's words; the technical details go to the log."""

from __future__ import annotations

import re

from slicer.i18n import tr as _

from .tables import Row

_BROKEN_PACKAGE = re.compile(r"^(ModuleNotFoundError|ImportError|OSError: \[WinError|DLL load failed)", re.MULTILINE)
_OUT_OF_MEMORY = re.compile(r"out of memory|MemoryError|bad_alloc|not enough memory", re.IGNORECASE)
#: How a process ends that Linux or macOS killed, as they do when memory is short: as a signal, as seen by a launcher.
_KILLED = (-9, 137)


def disclaimer() -> str:
    """Shown on the panel at all times."""
    return _("For research. Not for diagnosis.")


def cannot_start() -> str:
    """The child process could not be started."""
    return _("The segmentation could not be started. Check that there is free disk space; the log has the details.")


def cannot_load() -> str:
    """The child was done but its result could not be read."""
    return _("The result could not be loaded. Nothing was changed in the scene; the log has the details.")


def loading() -> str:
    """The stage after the child is done."""
    return _("Making the 3D surfaces")


def ct_removed() -> str:
    """The CT is no longer in the scene."""
    return _("The CT was removed from the scene while it was being segmented, so there is no result.")


def ct_changed() -> str:
    """The CT's geometry is no longer what was segmented."""
    return _("The CT was moved or resized while it was being segmented, so the result does not fit. Segment it again.")


def cancelled() -> str:
    """After Cancel."""
    return _("Cancelled. Nothing was changed in the scene.")


def crashed(exit_code: int, error_output: str) -> str:
    """The child ended without saying why."""
    if exit_code in _KILLED or _OUT_OF_MEMORY.search(error_output):
        return _("The computer ran out of memory. Close other programs, or choose CPU instead of GPU, and try again.")
    if tells_of_broken_package(error_output):
        return _("A Python package that CovidSeg needs is damaged or missing.")
    return _("The segmentation stopped unexpectedly. Try again; if it happens again, report it with the log.")


def tells_of_broken_package(error_output: str) -> bool:
    """True where an error output says that a Python package cannot be loaded."""
    return bool(_BROKEN_PACKAGE.search(error_output))


def time_left(seconds: float | None) -> str:
    """ "about 2 min left"; empty where it is not known."""
    if seconds is None:
        return ""
    if seconds < 10:
        return _("a few seconds left")
    if seconds < 90:
        return _("about {n} s left").format(n=10 * round(seconds / 10))
    return _("about {n} min left").format(n=round(seconds / 60))


def headline(rows: list[Row]) -> str:
    """The result in one line."""
    both = rows[-1]
    if not both.infection_ml:
        return _("No infection was found.")
    return _("Infection in {share} % of the lungs").format(share=number(both.involvement_percent, 1))


def number(value: float | None, decimals: int = 0) -> str:
    """A number for the table with a true minus sign, a dash where there is none."""
    return "–" if value is None else f"{value:.{decimals}f}".replace("-", "−")


def cells(rows: list[Row]) -> list[list[str]]:
    """The rows as the panel's table shows them: region, volume, infection, involvement, mean HU, lesions."""
    names = {"Right lung": _("Right lung"), "Left lung": _("Left lung"), "Both lungs": _("Both lungs")}
    small = 1 if max(row.infection_ml or 0 for row in rows) < 100 else 0
    return [
        [
            names.get(row.region, row.region),
            number(row.volume_ml),
            number(row.infection_ml, small),
            number(row.involvement_percent, 1),
            number(row.mean_hu),
            number(row.lesions),
        ]
        for row in rows
    ]
