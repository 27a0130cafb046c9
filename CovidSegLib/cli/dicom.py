"""`covidseg dicom`: results as DICOM objects, to the archive and from it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..notices import NOT_FOR_DIAGNOSIS
from ..progress import subprogress
from ..segmenting import DICOM_FOLDER, PDF, quiet_headers
from . import dicom_archive
from .options import add_progress
from .session import Session

if TYPE_CHECKING:
    from ..dicom.result import Result
    from ..dicom.source import Source
    from ..dicom.tracking import Tracking

SUMMARY = "export, send and receive DICOM objects"
DESCRIPTION = f"Export results as DICOM objects, and exchange images with an archive. {NOT_FOR_DIAGNOSIS}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `covidseg dicom` and their arguments."""
    parser.set_defaults(action=None)
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    export = actions.add_parser(
        "export",
        help="write a result as DICOM segmentations, structured report and PDF",
        description="Write a result as DICOM objects of the study of its CT: all of them, or none.",
    )
    export.add_argument("result", type=Path, metavar="RESULT", help="folder that `covidseg segment` has written")
    export.add_argument(
        "--source", type=Path, required=True, metavar="SERIES", help="DICOM folder of the CT that was segmented"
    )
    export.add_argument("--series", help="DICOM series in SERIES, given by its number or by the end of its UID")
    export.add_argument("-o", "--output", type=Path, metavar="OUT", help=f"folder (default: RESULT/{DICOM_FOLDER})")
    export.add_argument("--overwrite", action="store_true", help="replace an earlier export in OUT")
    export.add_argument("--pdf", type=Path, metavar="FILE", help=f"report to include (default: RESULT/{PDF}, if any)")
    add_labelmap(export)
    export.add_argument(
        "--prior",
        type=Path,
        metavar="FOLDER",
        help="export or result of an earlier CT, whose lesions keep their identifiers",
    )
    export.add_argument("--prior-source", type=Path, metavar="SERIES", help="DICOM folder of the earlier CT")
    add_progress(export)
    export.set_defaults(action=_export)
    dicom_archive.add_actions(actions)


def add_labelmap(parser: argparse.ArgumentParser) -> None:
    """Add --labelmap."""
    parser.add_argument(
        "--labelmap",
        action="store_true",
        help="write lungs and infection as a label map segmentation, which is smaller and which few programs read",
    )


def run(session: Session) -> None:
    """Run one action.

    Raises:
        InputError: The arguments or the input cannot be used.
        Cancelled: The user has stopped the run.
    """
    with quiet_headers():
        session.options.action(session)


def _export(session: Session) -> None:
    options, progress = session.options, session.progress
    if (options.prior is None) != (options.prior_source is None):
        raise InputError("--prior and --prior-source belong together: give the export of the earlier CT, and the CT.")
    progress("Starting", 0.0)
    with session.defer_interrupts():
        from .. import dicom

    out = options.output or options.result / DICOM_FOLDER
    dicom.prepare(out, overwrite=options.overwrite)
    progress("Reading the CT", 0.05)
    source = dicom.read_source(options.source, options.series)
    progress("Reading the result", 0.3)
    result = dicom.read_result(options.result, source)
    tracking = _tracking(session, source, result)
    pdf = options.pdf or (options.result / PDF if (options.result / PDF).is_file() else None)
    files = dicom.export(
        out,
        source,
        result,
        pdf=pdf,
        labelmap=options.labelmap,
        tracking=tracking,
        overwrite=options.overwrite,
        progress=subprogress(progress, 0.6, 1.0),
    )
    session.reporter.done(out, files)


def _tracking(session: Session, source: Source, result: Result) -> dict[str, Tracking] | None:
    """Return the identifiers that the regions had in the earlier examination, if one is named."""
    options, progress = session.options, session.progress
    if options.prior is None:
        return None
    from .. import dicom
    from ..dicom.earlier import tracking_from
    from ..dicom.regions import regions_of

    progress("Reading the earlier CT", 0.35)
    earlier = dicom.read_source(options.prior_source)
    regions = regions_of(source, result)
    return tracking_from(options.prior, earlier, source, result, regions, subprogress(progress, 0.4, 0.6))
