"""Writes the report of a result as HTML and PDF, and the viewer."""

from __future__ import annotations

from pathlib import Path

from ..outputs.names import DERIVED
from ..progress import Progress, silent
from ..segmentation import Segmentation
from ..storage.staging import check_writable, staged_files
from ..volume import Volume
from .review import Review

#: Names of the files of a report, and of the viewer.
REPORT_FILES, VIEWER_FILES = (DERIVED["report_html"], DERIVED["report_pdf"]), (DERIVED["viewer"],)


def names_of(*, report: bool, viewer: bool) -> tuple[str, ...]:
    """Return the names of the files that are asked for."""
    return (*(REPORT_FILES if report else ()), *(VIEWER_FILES if viewer else ()))


def prepare(out: Path, *, report: bool = True, viewer: bool = False, overwrite: bool = False) -> None:
    """Check before a long run that report and viewer can be written. Nothing is left behind.

    Raises:
        InputError: `out` is a file, cannot be created or written, its disk is full, or it contains an earlier report.
    """
    check_writable(out, names_of(report=report, viewer=viewer), overwrite=overwrite)


def write_report(
    out: Path,
    volume: Volume,
    segmentation: Segmentation,
    *,
    review: Review | None = None,
    original: Segmentation | None = None,
    has_probability: bool = True,
    report: bool = True,
    viewer: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> list[Path]:
    """Write report, viewer or both, or nothing: after any exception the folder is as it was before.

    Args:
        out: Folder for the report. Created if it does not exist.
        volume: The CT.
        segmentation: Its present masks.
        review: What a person did with the result; None if nobody has reviewed it.
        original: The model's masks, with which to compare the present ones.
        has_probability: Whether the probabilities of the segmentation are those of the model, for the viewer.
        report: Write the report.
        viewer: Write the viewer.
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
    from .viewer import viewer_html

    names = names_of(report=report, viewer=viewer)
    with staged_files(out, names, overwrite=overwrite) as folder:
        progress("Measuring", 0.0)
        content = content_of(volume, segmentation, review, original)
        if report:
            progress("Drawing the pictures", 0.2)
            pictures = draw_pictures(volume, segmentation)
            progress("Writing the report", 0.5)
            html, pdf = (folder / name for name in REPORT_FILES)
            html.write_text(report_html(content, pictures), encoding="utf-8", newline="\n")
            pdf.write_bytes(report_pdf(content, pictures))
        if viewer:
            progress("Writing the viewer", 0.7)
            page = viewer_html(volume, segmentation, content, has_probability=has_probability)
            (folder / VIEWER_FILES[0]).write_text(page, encoding="utf-8", newline="\n")
        # The last opportunity to cancel.
        progress("Saving the report", 1.0)
    return [out / name for name in names]
