"""`covidseg batch`: segment the scans of a cohort, each once, on processes of this computer or on Ray."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .. import models
from ..errors import InputError
from ..notices import NOT_FOR_DIAGNOSIS
from ..recipe import INFECTION_LABEL
from .options import add_device, add_progress
from .segment import add_results, options_of
from .session import Session

if TYPE_CHECKING:
    from ..cohorts.database import Cohort
    from ..cohorts.engines.engine import Engine, Work
    from ..cohorts.parts import Part

SUMMARY = "segment the scans of a cohort"
DESCRIPTION = (
    "Segment many chest CTs, each once, and write a table of all of them. An interrupted run resumes where it "
    f"stopped. {NOT_FOR_DIAGNOSIS}"
)
KEPT = "Cancelled. Finished scans are kept. Run the same command again to resume."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `covidseg batch`."""
    parser.add_argument(
        "inputs",
        type=Path,
        nargs="*",
        metavar="INPUT",
        help="folder tree, image file, .txt file with a path on each line, or .csv file with a column `input`; without "
        "any, the cases that DIR already lists",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder of the cohort")
    parser.add_argument("--list-only", action="store_true", help="list the scans in DIR, without segmenting them")
    parser.add_argument("--retry-failed", action="store_true", help="try scans again that failed in an earlier run")
    parser.add_argument(
        "--retries",
        type=int,
        choices=range(11),
        default=1,
        metavar="N",
        help="how often to try a scan again whose process has ended unexpectedly (default: 1)",
    )
    parser.add_argument(
        "--engine", choices=("local", "ray"), default="local", help="processes of this computer (the default), or Ray"
    )
    parser.add_argument("--workers", type=int, metavar="N", help="scans at the same time (default: see the manual)")
    parser.add_argument("--address", help="with --engine ray: the cluster to join, such as auto")
    parser.add_argument(
        "--part", type=_part, metavar="I/N", help="segment only this part of the cohort, as task I of N of a job array"
    )
    parser.add_argument("--model", help="installed model, or folder of a finished run; see `covidseg models`")
    parser.add_argument(
        "--window", type=float, nargs=2, metavar=("LOW", "HIGH"), help="HU values of 0 and 255 in 8-bit images"
    )
    add_device(parser)
    parser.add_argument(
        "--network-engine",
        choices=("auto", "openvino", "torch"),
        default="auto",
        help="what runs the networks, as --engine of `covidseg segment`",
    )
    add_results(parser)
    add_progress(parser)


def run(session: Session) -> None:
    """Segment the scans of a cohort.

    Raises:
        InputError: The arguments, the inputs, the model or the folder cannot be used, or no scan could be segmented.
        Cancelled: The user has stopped the run.
    """
    options = session.options
    if options.address is not None and options.engine != "ray":
        raise InputError("--address is for Ray: give --engine ray with it.")
    session.on_cancel = KEPT
    session.progress("Starting", 0.0)
    with session.defer_interrupts():
        from ..cohorts.engines.engine import Work
        from ..cohorts.settings import check_settings, settings_of

    model = models.find_model(options.model)
    if model.finding != INFECTION_LABEL:
        raise InputError(
            f'The model "{model.name}" finds {model.finding} but no infection, which cohorts are about. Use '
            "`covidseg segment` for each scan."
        )
    segment_options = options_of(options, engine=options.network_engine, overwrite=False)
    segment_options.check()
    work = Work(str(model.folder), model.card["sha256"], segment_options)
    with _claimed(options.output, options.part) as cohort:
        check_settings(cohort, settings_of(model.name, work.sha256, segment_options))
        _enrol(session, cohort)
        if not options.list_only:
            _segment(session, cohort, work)


@contextmanager
def _claimed(folder: Path, part: Part | None) -> Iterator[Cohort]:
    """Claim the cohort, or the part of it that the arguments name, and yield it."""
    from ..cohorts.database import FILE, create_cohort, open_cohort
    from ..cohorts.parts import claimed_part, claimed_whole, merge_parts, take_planned

    if part is None:
        with claimed_whole(folder):
            cohort = create_cohort(folder)
            merge_parts(cohort)
            yield cohort
        return
    with claimed_part(folder, part) as cohort:
        if (folder / FILE).is_file():
            take_planned(open_cohort(folder), cohort, part)
        yield cohort


def _enrol(session: Session, cohort: Cohort) -> None:
    """Add the inputs to the cohort."""
    from ..cohorts.cases import count_states, wait_again
    from ..cohorts.enrolment import enrol
    from ..cohorts.inputs.listing import list_scans

    options, reporter = session.options, session.reporter
    if options.inputs:
        listing = list_scans(options.inputs, options.output, session.progress)
        scans = [scan for number, scan in enumerate(listing.scans) if options.part is None or options.part.has(number)]
        new = enrol(cohort, scans)
        again = f", {listing.repeated} given more than once" if listing.repeated else ""
        reporter.line(f"{len(scans)} scans, {new} of them new{again}.")
    if options.retry_failed:
        wait_again(cohort, ["failed"])
    if sum(count_states(cohort).values()) == 0 and options.part is None:
        raise InputError(f'There are no cases in "{options.output}" yet. Give the scans as INPUT.')


def _segment(session: Session, cohort: Cohort, work: Work) -> None:
    """Segment the cases that wait."""
    from ..cohorts.batch import run_batch

    options, reporter = session.options, session.reporter
    engine = _engine(session, work)
    try:
        summary = run_batch(cohort, engine, retries=options.retries, progress=session.progress, log=reporter.line)
    finally:
        engine.close()
    states = summary.states
    reporter.line(f"Done: {states['done']}. Failed: {states['failed']}. Waiting: {states['waiting']}.")
    if summary.failed and not summary.done and states["done"] == 0:
        raise InputError(f'No scan could be segmented. The reasons are in "{summary.files[0]}".')
    session.progress("Saving the tables", 1.0)
    reporter.done(options.output, summary.files)


def _engine(session: Session, work: Work) -> Engine:
    options = session.options
    with session.defer_interrupts():
        if options.engine == "ray":
            from ..cohorts.engines.ray_engine import RayEngine

            return RayEngine(work, options.output, options.workers, options.address)
        from ..cohorts.engines.local import LocalEngine
        from ..cohorts.engines.resources import shares

    return LocalEngine(work, shares(options.workers, options.device))


def _part(text: str) -> Part:
    from ..cohorts.parts import Part

    try:
        return Part.parse(text)
    except ValueError:
        raise argparse.ArgumentTypeError("a part such as 3/100 is needed") from None
