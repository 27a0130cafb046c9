"""`covidseg segment`: from a chest CT to masks, surfaces, a report and an overview picture."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .. import models, recipes
from ..errors import InputError
from ..notices import NOT_FOR_DIAGNOSIS
from ..recipe import TUMOUR_LABEL
from ..segmenting import DICOM_FOLDER, SegmentOptions, segment_scan, segment_tumour_scan
from .dicom import add_labelmap
from .options import add_device, add_engine, add_progress, probability
from .session import Session

if TYPE_CHECKING:
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
    add_results(parser)
    add_progress(parser)


def add_results(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which results to write, which `covidseg batch` has too."""
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


def options_of(options: argparse.Namespace, *, engine: str, overwrite: bool) -> SegmentOptions:
    """Return what the arguments say about how to segment a CT, and which results to write.

    Args:
        options: The parsed arguments.
        engine: What runs the networks.
        overwrite: Whether to replace earlier results.
    """
    return SegmentOptions(
        device=options.device,
        engine=engine,
        threshold=options.threshold,
        skip=tuple(sorted(set(options.skip))),
        surfaces=options.surfaces,
        window=tuple(options.window) if options.window else None,
        dicom=options.dicom,
        labelmap=options.labelmap,
        report=options.report,
        viewer=options.viewer,
        anonymous=options.anonymous,
        overwrite=overwrite,
    )


def run(session: Session) -> None:
    """Segment one CT and write all results, or none.

    Raises:
        InputError: The arguments, the CT, the model or the output folder cannot be used.
        Cancelled: The user has stopped the run.
    """
    options, reporter = session.options, session.reporter
    if options.demo == (options.input is not None):
        raise InputError("Give either the path of a CT or --demo.")
    if options.dicom and options.demo:
        raise InputError("--dicom needs the DICOM series of a CT: omit --demo.")
    session.progress("Starting", 0.0)
    run_scan = segment_tumour_scan if _finds_tumours(options) else segment_scan
    segmented = run_scan(
        (lambda: _phantom(session)) if options.demo else options.input,
        options.output,
        lambda: find_model(options),
        options_of(options, engine=options.engine, overwrite=options.overwrite),
        series=options.series,
        progress=session.progress,
        warn=reporter.warning,
        importing=session.defer_interrupts,
    )
    reporter.done(options.output, segmented.files)


def find_model(options: argparse.Namespace) -> models.Model:
    """Return the model that the arguments name, or the untrained networks of a recipe.

    Raises:
        InputError: There is none of that name, or the arguments contradict each other.
    """
    if options.ablation is not None and options.recipe is None:
        raise InputError("--ablation selects a row of a recipe's ablation: give --recipe with it.")
    if options.recipe is None:
        return models.find_model(options.model)
    from ..models.untrained import untrained_model

    return untrained_model(options.recipe, options.ablation)


def _finds_tumours(options: argparse.Namespace) -> bool:
    """Return whether the model that the arguments name finds lung tumours in place of infection."""
    if options.recipe is not None:
        return recipes.outline(options.recipe, options.ablation).infection.finding == TUMOUR_LABEL
    return options.model is not None and models.find_model(options.model).finding == TUMOUR_LABEL


def _phantom(session: Session) -> Volume:
    """Make the synthetic CT of --demo."""
    from ..phantom import make_phantom

    session.reporter.warning("This is a synthetic chest CT that CovidSeg has made, not a patient's.")
    return make_phantom().volume
