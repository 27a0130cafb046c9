"""Collect what the parts of a cohort have done, without disturbing those that run."""

from __future__ import annotations

from pathlib import Path

from ..errors import InUseError
from .claims import claimed_cohort
from .database import create_cohort
from .export import write_tables
from .parts import merge_parts, part_folders


def collect_parts(folder: Path) -> bool:
    """Copy what the parts of a cohort have done into its tables, if it has parts.

    Returns:
        Whether that was possible: not while a run on the whole cohort goes on.

    Raises:
        InputError: The tables cannot be written.
    """
    if not part_folders(folder):
        return True
    try:
        with claimed_cohort(folder):
            cohort = create_cohort(folder)
            merge_parts(cohort)
            write_tables(cohort)
    except InUseError:
        return False
    return True
