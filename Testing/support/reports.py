"""Reports of a small segmentation."""

from __future__ import annotations

from functools import cache

from CovidSegLib.reports.content import ReportContent, content_of
from CovidSegLib.reports.pictures import Pictures, draw_pictures
from CovidSegLib.reports.rows import ReportLesion

from .results import SEGMENTATION, VOLUME


@cache
def small_content() -> ReportContent:
    """What a report says about it, without edits."""
    return content_of(VOLUME, SEGMENTATION, original=SEGMENTATION)


@cache
def small_pictures() -> Pictures:
    """Its pictures."""
    return draw_pictures(VOLUME, SEGMENTATION)


def many_lesions(count: int, state: str = "", first: int = 1) -> tuple[ReportLesion, ...]:
    """Return lesions, largest first."""
    return tuple(
        ReportLesion(number, "right", "lower", 100.0 / number, -500.0, state) for number in range(first, first + count)
    )
