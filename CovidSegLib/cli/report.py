"""`covidseg report`: the report of a result, also after it was corrected in 3D Slicer."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from ..notices import NOT_FOR_DIAGNOSIS
from ..progress import subprogress
from .options import add_progress
from .session import Session

SUMMARY = "write the report of a result"
DESCRIPTION = (
    "Write the report of a result as HTML and PDF, also after it was corrected, and a viewer in one HTML file. "
    f"{NOT_FOR_DIAGNOSIS}"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `covidseg report`."""
    parser.add_argument(
        "result",
        type=Path,
        metavar="RESULT",
        help="folder that `covidseg segment` has written, or a .seg.nrrd file, for example one that was corrected in "
        "3D Slicer",
    )
    parser.add_argument(
        "ct", type=Path, metavar="CT", help="the CT: DICOM folder, or a .nii, .nii.gz, .nrrd, .mha or .mhd file"
    )
    parser.add_argument("--series", help="DICOM series of the CT, given by its number or by the end of its UID")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="folder for the report")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier report in OUT")
    parser.add_argument(
        "--original",
        type=Path,
        metavar="RESULT",
        help="folder that `covidseg segment` has written: report what was edited since",
    )
    parser.add_argument(
        "--review", type=Path, metavar="FILE", help="JSON file with the decisions and the texts of the reader"
    )
    parser.add_argument("--viewer", action="store_true", help="write a viewer in one HTML file, too")
    parser.add_argument("--anonymous", action="store_true", help="leave the DICOM series and its UID out of the report")
    add_progress(parser)


def run(session: Session) -> None:
    """Write the report.

    Raises:
        InputError: The result, the CT, the review or the output folder cannot be used.
        Cancelled: The user has stopped the run.
    """
    options, progress = session.options, session.progress
    progress("Starting", 0.0)
    with session.defer_interrupts():
        from ..outputs.stored_result import read_probability, read_result
        from ..reading import read_volume
        from ..reports.files import prepare, write_report
        from ..reports.review import read_review

    prepare(options.output, viewer=options.viewer, overwrite=options.overwrite)
    review = read_review(options.review) if options.review else None
    if review is not None and options.anonymous:
        review = replace(review, series=None)
    progress("Reading the CT", 0.05)
    volume = read_volume(options.ct, series=options.series)
    progress("Reading the result", 0.25)
    segmentation = read_result(options.result, volume)
    original = read_result(options.original, volume) if options.original else None
    probability = read_probability(options.original or options.result, volume) if options.viewer else None
    if probability is not None:
        segmentation = replace(segmentation, probability=probability)
    files = write_report(
        options.output,
        volume.without_identifiers() if options.anonymous else volume,
        segmentation,
        review=review,
        original=original,
        has_probability=probability is not None,
        viewer=options.viewer,
        overwrite=options.overwrite,
        progress=subprogress(progress, 0.4, 1.0),
    )
    session.reporter.done(options.output, files)
