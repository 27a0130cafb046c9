"""Writes the report of a result as HTML and PDF."""

from __future__ import annotations

from pathlib import Path

from ..outputs.results import DERIVED
from ..progress import Progress, silent
from ..segmentation import Segmentation
from ..storage.staging import check_writable, staged_files
from ..volume import Volume
from .review import Review

#: Names of the files of a report.
REPORT_FILES = (DERIVED["report_html"], DERIVED["report_pdf"])


def prepare(out: Path, *, overwrite: bool = False) -> None:
    """Check before a long run that a report can be written. Nothing is left behind.

    Raises:
        InputError: `out` is a file, cannot be created or written, its disk is full, or it contains an earlier report.
    """
    check_writable(out, REPORT_FILES, overwrite=overwrite)


def write_report(
    out: Path,
    volume: Volume,
    segmentation: Segmentation,
    *,
    review: Review | None = None,
    original: Segmentation | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> list[Path]:
    """Write the report, or nothing: after any exception the folder is as it was before.

    Args:
        out: Folder for the report. Created if it does not exist.
        volume: The CT.
        segmentation: Its present masks.
        review: What a person did with the result; None if nobody has reviewed it.
        original: The model's masks, with which to compare the present ones.
        overwrite: Replace an earlier report in `out`.
        progress: Receives the stage and the fraction done. May raise `Cancelled`.

    Returns:
        Paths of the written files.

    Raises:
        InputError: The folder cannot be written, its disk is full, or it contains an earlier report.
        Cancelled: Raised by `progress`.
    """
    # Imported here because they load the libraries for templates, PDF and pictures.
    from .content import content_of
    from .html import report_html
    from .pdf import report_pdf
    from .pictures import draw_pictures

    with staged_files(out, REPORT_FILES, overwrite=overwrite) as folder:
        progress("Measuring", 0.0)
        content = content_of(volume, segmentation, review, original)
        progress("Drawing the pictures", 0.3)
        pictures = draw_pictures(volume, segmentation)
        progress("Writing the report", 0.7)
        html, pdf = (folder / name for name in REPORT_FILES)
        html.write_text(report_html(content, pictures), encoding="utf-8", newline="\n")
        pdf.write_bytes(report_pdf(content, pictures))
        # The last opportunity to cancel.
        progress("Saving the report", 1.0)
    return [out / name for name in REPORT_FILES]
