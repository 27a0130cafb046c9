"""`covidseg follow-up`: compare a chest CT with an earlier CT of the same patient."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import models
from ..errors import InputError
from ..notices import NOT_FOR_DIAGNOSIS
from ..progress import Progress, subprogress
from .options import add_device, add_progress, probability
from .session import Session

if TYPE_CHECKING:
    from ..followup import TimePoint
    from ..reading.study import Study
    from ..segmentation import Segmentation
    from ..volume import Volume

SUMMARY = "compare a chest CT with an earlier one"
DESCRIPTION = (
    "Compare a chest CT with an earlier CT of the same patient: register the lungs, and list new, grown, stable, "
    f"shrunken and resolved lesions. A CT without a result is segmented first. {NOT_FOR_DIAGNOSIS}"
)
#: The CTs by their names in options, and in messages.
SIDES = {"current": "current", "prior": "earlier"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `covidseg follow-up`."""
    for side, title in SIDES.items():
        parser.add_argument(
            side,
            type=Path,
            metavar=side.upper(),
            help=f"the {title} CT: DICOM folder, or a .nii, .nii.gz, .nrrd, .mha or .mhd file",
        )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="folder for the comparison")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier comparison in OUT")
    for side, title in SIDES.items():
        parser.add_argument(
            f"--{side}-result",
            type=Path,
            metavar="RESULT",
            help=f"masks of the {title} CT: a folder written by `covidseg segment`, or a .seg.nrrd file, for example "
            "one that was corrected in 3D Slicer",
        )
    for side, title in SIDES.items():
        parser.add_argument(
            f"--{side}-series", metavar="SERIES", help=f"DICOM series of the {title} CT, as in `covidseg segment`"
        )
    parser.add_argument("--days", type=_days, help="days between the CTs (default: from their study dates)")
    parser.add_argument(
        "--earlier",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="folder of an earlier comparison of this patient, for a trend over more than two CTs (repeatable)",
    )
    parser.add_argument(
        "--other-patient-id", action="store_true", help="compare also if the CTs have different patient IDs"
    )
    parser.add_argument("--model", help="model for CTs without a result; see `covidseg models`")
    add_device(parser)
    parser.add_argument(
        "--threshold", type=probability, help="probability from which a voxel is infection (default: the model's)"
    )
    parser.add_argument("--skip", action="append", default=[], choices=("trend",), help="do not write this file")
    parser.add_argument(
        "--anonymous", action="store_true", help="leave dates and the UIDs of the DICOM series out of the report"
    )
    add_progress(parser)


def run(session: Session) -> None:
    """Compare two CTs and write all results, or none.

    Raises:
        InputError: The arguments, the CTs, their results, the model or the output folder cannot be used.
        Cancelled: The user has stopped the run.
    """
    session.progress("Starting", 0.0)
    with session.defer_interrupts():
        from ..storage.claim import claimed_folder

    with claimed_folder(session.options.output):
        _compare(session)


def _compare(session: Session) -> None:
    """Compare the CTs; the folder for the results is ours."""
    options, reporter, progress = session.options, session.reporter, session.progress
    with session.defer_interrupts():
        from ..followup import follow_up
        from ..outputs.follow_up_files import prepare_follow_up, write_follow_up

    prepare_follow_up(options.output, overwrite=options.overwrite)
    earlier = {folder.name: _timeline(folder) for folder in options.earlier}
    missing = [side for side in SIDES if getattr(options, f"{side}_result") is None]
    model = models.find_model(options.model) if missing else None
    # Segmenting takes longer than everything else.
    start = 0.1 + 0.35 * len(missing)
    volumes, studies = {}, {}
    for number, side in enumerate(SIDES):
        progress(f"Reading the {SIDES[side]} CT", 0.02 + 0.04 * number)
        volumes[side], studies[side] = _read(options, side)
    _check_patients(studies, options)
    masks = {}
    for side in SIDES:
        span = (0.1 + 0.35 * missing.index(side), 0.45 + 0.35 * missing.index(side)) if side in missing else (0.1, 0.1)
        masks[side] = _masks(session, side, volumes[side], model, subprogress(progress, *span))
    points = {side: _point(volumes[side], masks[side], studies[side]) for side in SIDES}
    follow = follow_up(
        points["current"], points["prior"], days=options.days, progress=subprogress(progress, start, 0.9)
    )
    warnings = [f"The {SIDES[side]} CT: {text}" for side in missing for text in masks[side].warnings]
    for warning in dict.fromkeys([*warnings, *follow.warnings]):
        reporter.warning(warning)
    files = write_follow_up(
        options.output,
        follow,
        earlier=earlier,
        masks={side: masks[side] for side in missing},
        dates=not options.anonymous,
        trend="trend" not in options.skip,
        overwrite=options.overwrite,
        progress=subprogress(progress, 0.9, 1.0),
    )
    reporter.done(options.output, files)


def _read(options: argparse.Namespace, side: str) -> tuple[Volume, Study]:
    """Read a CT, and when it was made."""
    from ..reading import read_volume
    from ..reading.study import read_study

    path, series = getattr(options, side), getattr(options, f"{side}_series")
    volume = read_volume(path, series=series)
    study = read_study(path, series=series)
    return volume.without_identifiers() if options.anonymous else volume, study


def _check_patients(studies: dict[str, Study], options: argparse.Namespace) -> None:
    if studies["current"].is_other_patient(studies["prior"]) and not options.other_patient_id:
        raise InputError(
            "The CTs have different patient IDs. Check that both are of the same patient. If they are, and only the "
            "IDs differ, add --other-patient-id."
        )


def _masks(session: Session, side: str, volume: Volume, model: models.Model | None, progress: Progress) -> Segmentation:
    """Read the masks of a CT, or segment it."""
    result = getattr(session.options, f"{side}_result")
    if result is not None:
        from ..outputs.stored_result import read_result

        return read_result(result, volume)
    with session.defer_interrupts():
        from ..pipeline import segment  # imports torch, which takes seconds: unusable input is reported before

    options = session.options
    assert model is not None
    try:
        return segment(
            volume,
            model,
            device=options.device,
            threshold=options.threshold,
            progress=lambda stage, fraction: progress(f"{stage} ({SIDES[side]} CT)", fraction),
        )
    except InputError as error:
        raise type(error)(f"The {SIDES[side]} CT: {error}") from error


def _point(volume: Volume, segmentation: Segmentation, study: Study) -> TimePoint:
    from ..followup import TimePoint

    return TimePoint(volume, segmentation, study.date)


def _timeline(folder: Path) -> list[dict[str, Any]]:
    """Return the time points of an earlier comparison.

    Raises:
        InputError: There is none, or it cannot be read.
    """
    from ..followup.timeline import checked_points
    from ..outputs.follow_up_files import FOLLOW_UP_FILES
    from ..storage.limited import read_limited_json

    path = folder / FOLLOW_UP_FILES["report"] if folder.is_dir() else folder
    try:
        return checked_points(read_limited_json(path))
    except (OSError, ValueError) as error:
        raise InputError(
            f'There is no comparison in "{folder.name}". Give a folder that `covidseg follow-up` has written.'
        ) from error


def _days(text: str) -> int:
    if not text.strip().isdigit():
        raise argparse.ArgumentTypeError("a whole number of days is needed")
    return int(text)
