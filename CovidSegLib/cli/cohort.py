"""`covidseg cohort`: statistics, plots and the cases to look at first."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import InputError
from ..notices import NOT_FOR_DIAGNOSIS
from .printing import print_text
from .session import Session

SUMMARY = "show statistics of a cohort"
DESCRIPTION = (
    "Show statistics of a cohort and the scans to look at first, and write them to DIR/statistics as text, CSV and "
    f"PNG. {NOT_FOR_DIAGNOSIS}"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `covidseg cohort`."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder that `covidseg batch` has written")
    parser.add_argument(
        "--by", metavar="COLUMN", help="column of the list of scans to group by (default: the centre, if there is one)"
    )


def run(session: Session) -> None:
    """Collect the parts of a cohort, and print and write its statistics.

    Raises:
        InputError: There is no cohort, or its folder cannot be written.
    """
    options = session.options
    with session.defer_interrupts():
        from ..cohorts.cases import all_cases
        from ..cohorts.collecting import collect_parts
        from ..cohorts.database import open_cohort
        from ..cohorts.summary import summarise, summary_text, write_summary

    if not collect_parts(options.folder):
        session.reporter.warning("A run writes to this cohort. What its parts have done since it began is not counted.")
    cohort = open_cohort(options.folder)
    cases = all_cases(cohort)
    if not cases:
        raise InputError(f'The cohort in "{options.folder}" has no cases. Give scans to `covidseg batch`.')
    summary = summarise(cases, options.by)
    print_text(summary_text(summary))
    files = write_summary(cohort.folder, cases, summary)
    session.reporter.done(files[0].parent, files)
