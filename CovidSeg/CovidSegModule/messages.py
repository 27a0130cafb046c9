"""Messages to the user about a run: the cause, then what to do. Technical details go to the log."""

from __future__ import annotations

import re
from collections.abc import Sequence

from slicer.i18n import tr as _

_BROKEN_PACKAGE = re.compile(r"^(ModuleNotFoundError|ImportError|OSError: \[WinError|DLL load failed)", re.MULTILINE)
_OUT_OF_MEMORY = re.compile(r"out of memory|MemoryError|bad_alloc|not enough memory", re.IGNORECASE)
#: Exit codes of a process killed by SIGKILL, directly and through a launcher. Linux and macOS send SIGKILL when memory
#: runs out.
_KILLED = (-9, 137)


def starting() -> str:
    """Return the name of the first stage of a run, before the child process reports one."""
    return _("Starting")


def loading_result() -> str:
    """Return the name of the last stage of a run, after the child process has finished."""
    return _("Loading the result")


def cannot_start() -> str:
    """Return the message for a child process that could not be started."""
    return _(
        "The segmentation could not be started. Check that there is free disk space and try again. "
        "The log has the details."
    )


def cannot_load() -> str:
    """Return the message for a result that could not be loaded."""
    return _("The result could not be loaded, and the scene was not changed. Try again. The log has the details.")


def ct_removed() -> str:
    """Return the message for a CT that was removed from the scene during the run."""
    return _(
        "The CT was removed from the scene while it was being segmented, so there is no result. "
        "Load the CT again and segment it."
    )


def ct_changed() -> str:
    """Return the message for a CT whose own grid changed during the run."""
    return _(
        "The CT was moved or resized while it was being segmented, so the result does not fit it. Segment the CT again."
    )


def cancelled() -> str:
    """Return the message after Cancel."""
    return _("Cancelled. Nothing was changed in the scene.")


def hidden_results(names: Sequence[str]) -> str:
    """Return the message about earlier results on the same CT that were hidden."""
    return _('The earlier result "{names}" is hidden. Its eye in the module Data shows it again.').format(
        names='", "'.join(names)
    )


def done(seconds: float) -> str:
    """Return the message after a successful run."""
    return _("Done in {n} s.").format(n=round(seconds))


def crashed(exit_code: int, error_output: str, last_words: str = "") -> str:
    """Return the message for a child process that ended without an error message for the user.

    Args:
        exit_code: Exit code of the child process.
        error_output: The end of its error output.
        last_words: Its last line, without names.
    """
    if exit_code in _KILLED or _OUT_OF_MEMORY.search(error_output):
        return _(
            "The computer ran out of memory. Close other programs, or compute on the CPU instead of the GPU, and try "
            "again."
        )
    if mentions_broken_package(error_output):
        return _("A Python package that CovidSeg needs is damaged or missing.")
    message = _("The segmentation stopped unexpectedly. Try again. If it happens again, report it with the saved log.")
    return f"{message}\n{last_words}" if last_words else message


def mentions_broken_package(error_output: str) -> bool:
    """Return True if an error output says that a Python package cannot be loaded."""
    return bool(_BROKEN_PACKAGE.search(error_output))


def use_cpu(time: str) -> str:
    """Return the question to ask when the memory of the GPU is exhausted.

    Args:
        time: How long it will take, such as "about 2 min"; empty if unknown.
    """
    text = _("The graphics card has too little free memory for this CT. Compute on the processor instead?")
    return f"{text} " + (_("That takes {time}.").format(time=time) if time else _("That takes longer."))


def time_left(seconds: float | None) -> str:
    """Return a rounded time such as "about 2 min left", or an empty string if the time is unknown."""
    if seconds is None:
        return ""
    if seconds < 10:
        return _("a few seconds left")
    if seconds < 90:
        return _("about {n} s left").format(n=10 * round(seconds / 10))
    return _("about {n} min left").format(n=round(seconds / 60))


def follow_up_removed() -> str:
    """Return the message for a node that was removed during a comparison."""
    return _(
        "A CT or its segmentation was removed from the scene during the comparison, so there is no result. Load it "
        "again and compare again."
    )


def export_removed() -> str:
    """Return the message for a node that was removed during an export."""
    return _("The CT or its segmentation was removed from the scene during the export, so nothing was written.")


def not_in_database() -> str:
    """Return the message for a CT of which the DICOM database has no files."""
    return _(
        "The DICOM files of this CT are not in Slicer's DICOM database, so the result cannot refer to them. Import the "
        "CT in the module DICOM and load it from there."
    )


def not_from_dicom() -> str:
    """Return the message for a CT that was not loaded from DICOM."""
    return _(
        "This CT was not loaded from Slicer's DICOM database, so the result cannot be exported as DICOM. Import the CT "
        "in the module DICOM, load it from there and segment it."
    )


def report_removed() -> str:
    """Return the message for a node that was removed while its report was made."""
    return _("The CT or its segmentation was removed from the scene during the report, so nothing was written.")
