"""`covidseg segment`: from a chest CT to masks, surfaces, a report and an overview picture."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .. import models
from ..errors import InputError
from ..notices import NOT_FOR_DIAGNOSIS
from ..progress import subprogress
from .dicom import FOLDER as DICOM_FOLDER
from .dicom import PDF, add_labelmap, quiet_headers
from .options import add_device, add_engine, add_progress, probability
from .session import Session

if TYPE_CHECKING:
    from ..dicom.source import Source
    from ..segmentation import Segmentation
    from ..volume import Volume

SUMMARY = "segment a chest CT"
DESCRIPTION = f"Segment a chest CT and write masks, surfaces and measurements. {NOT_FOR_DIAGNOSIS}"
#: The keys of `outputs.GROUPS`, repeated here because importing `outputs` takes half a second.
SKIPPABLE = ("labels", "overview", "surfaces")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `covidseg segment`."""
    parser.add_argument(
        "input",
        type=Path,
        nargs="?",
        metavar="INPUT",
        help="DICOM folder, or a .nii, .nii.gz, .nrrd, .mha or .mhd file",
    )
    parser.add_argument("--demo", action="store_true", help="segment a synthetic chest CT in place of INPUT")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="folder for the results")
    parser.add_argument("--overwrite", action="store_true", help="replace earlier results in OUT")
    parser.add_argument("--series", help="DICOM series, given by its number or by the end of its UID")
    parser.add_argument(
        "--window", type=float, nargs=2, metavar=("LOW", "HIGH"), help="HU values of 0 and 255 in an 8-bit image"
    )
    network = parser.add_mutually_exclusive_group()
    network.add_argument("--model", help="installed model, or folder of a finished run; see `covidseg models`")
    network.add_argument(
        "--recipe", help="recipe to run without trained weights, to see that it runs; see `covidseg recipes`"
    )
    parser.add_argument("--ablation", metavar="ROW", help="with --recipe: use the networks of this row of its ablation")
    add_device(parser)
    add_engine(parser)
    parser.add_argument(
        "--threshold", type=probability, help="probability from which a voxel is infection (default: the model's)"
    )
    parser.add_argument(
        "--skip", action="append", default=[], choices=SKIPPABLE, help="do not write these files (repeatable)"
    )
    parser.add_argument(
        "--surfaces",
        choices=("structures", "segments"),
        default="structures",
        help="surfaces to write: both lungs together and infection (the default), or each segment",
    )
    parser.add_argument(
        "--dicom",
        action="store_true",
        help=f"also write DICOM segmentations and a structured report to OUT/{DICOM_FOLDER}; INPUT must be DICOM",
    )
    add_labelmap(parser)
    parser.add_argument("--report", action="store_true", help="also write a report as HTML and PDF")
    parser.add_argument("--viewer", action="store_true", help="also write a viewer in one HTML file")
    parser.add_argument("--anonymous", action="store_true", help="leave the UID of the DICOM series out of the report")
    add_progress(parser)


def run(session: Session) -> None:
    """Segment one CT and write all results, or none.

    Raises:
        InputError: The arguments, the CT, the model or the output folder cannot be used.
        Cancelled: The user has stopped the run.
    """
    options, progress = session.options, session.progress
    if options.demo == (options.input is not None):
        raise InputError("Give either the path of a CT or --demo.")
    if options.dicom and options.demo:
        raise InputError("--dicom needs the DICOM series of a CT: omit --demo.")
    if options.labelmap and not options.dicom:
        raise InputError("--labelmap is for DICOM segmentations: give --dicom with it.")
    progress("Starting", 0.0)
    with session.defer_interrupts():
        from ..storage.claim import claimed_folder

    with claimed_folder(options.output), quiet_headers():
        _segment(session)


def _segment(session: Session) -> None:
    """Segment the CT; the folder for the results is ours."""
    options, reporter, progress = session.options, session.reporter, session.progress
    with session.defer_interrupts():
        from .. import outputs

    outputs.prepare(options.output, overwrite=options.overwrite)
    model = _find_model(options)
    progress("Reading the CT", 0.02)
    source = _read_source(session) if options.dicom else None
    volume = _read_volume(session) if source is None else _shown(source.volume, options)
    progress("Preparing the segmentation", 0.06)
    with session.defer_interrupts():
        from ..pipeline import segment  # slow to import: unusable input is reported before

    segmentation = segment(
        volume,
        model,
        device=options.device,
        engine=options.engine,
        threshold=options.threshold,
        progress=subprogress(progress, 0.1, 0.75),
    )
    for warning in dict.fromkeys(segmentation.warnings):
        reporter.warning(warning)
    files = outputs.write_results(
        options.output,
        volume,
        segmentation,
        skip=options.skip,
        surfaces=options.surfaces,
        overwrite=options.overwrite,
        progress=subprogress(progress, 0.75, 0.85 if source or options.report or options.viewer else 1.0),
    )
    if options.report or options.viewer:
        files += _write_report(session, volume, segmentation)
    if source:  # after the report, which it includes
        files += _export(session, source, segmentation)
    reporter.done(options.output, files)


def _write_report(session: Session, volume: Volume, segmentation: Segmentation) -> list[Path]:
    """Write report and viewer of masks that nobody has edited."""
    with session.defer_interrupts():
        from ..reports.files import write_report

    return write_report(
        session.options.output,
        volume,
        segmentation,
        original=segmentation,
        report=session.options.report,
        viewer=session.options.viewer,
        overwrite=session.options.overwrite,
        progress=subprogress(session.progress, 0.85, 0.92),
    )


def _find_model(options: argparse.Namespace) -> models.Model:
    """Return the model that the arguments name, or the untrained networks of a recipe."""
    if options.ablation is not None and options.recipe is None:
        raise InputError("--ablation selects a row of a recipe's ablation: give --recipe with it.")
    if options.recipe is None:
        return models.find_model(options.model)
    from ..models.untrained import untrained_model

    return untrained_model(options.recipe, options.ablation)


def _read_volume(session: Session) -> Volume:
    """Read the CT, or make the synthetic one of --demo."""
    options = session.options
    if options.demo:
        from ..phantom import make_phantom

        session.reporter.warning("This is a synthetic chest CT that CovidSeg has made, not a patient's.")
        return make_phantom().volume
    from ..reading import read_volume

    window = tuple(options.window) if options.window else None
    return _shown(read_volume(options.input, series=options.series, window=window), options)


def _shown(volume: Volume, options: argparse.Namespace) -> Volume:
    """Return the volume with what the report may state about it."""
    return volume.without_identifiers() if options.anonymous else volume


def _read_source(session: Session) -> Source:
    """Read the CT with what DICOM objects refer to, and check that they can be written: before the long computation."""
    options = session.options
    with session.defer_interrupts():
        from .. import dicom

    if options.window:
        raise InputError("--window is for images without Hounsfield units, from which no DICOM objects are made.")
    dicom.prepare(options.output / DICOM_FOLDER, overwrite=options.overwrite)
    return dicom.read_source(options.input, options.series)


def _export(session: Session, source: Source, segmentation: Segmentation) -> list[Path]:
    """Write the DICOM objects, with the PDF report if there is one."""
    from .. import dicom

    options = session.options
    pdf = options.output / PDF
    return dicom.export(
        options.output / DICOM_FOLDER,
        source,
        dicom.result_of(source.volume, segmentation),
        pdf=pdf if pdf.is_file() else None,
        labelmap=options.labelmap,
        overwrite=options.overwrite,
        progress=subprogress(session.progress, 0.92, 1.0),
    )
