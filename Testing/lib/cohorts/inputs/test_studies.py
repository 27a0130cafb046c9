"""The rules by which the chest CT of a study is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.dicom_factory import write_series

from CovidSegLib.cohorts.inputs.studies import SeriesSummary, choose_chest_series, join_parts, summary_of
from CovidSegLib.reading.dicom_header import SeriesHeader
from CovidSegLib.reading.dicom_series import Extent, Series, list_series

HEADER: dict[str, Any] = {
    "series_uid": "1.2.3",
    "sop_class": "1.2.840.10008.5.1.4.1.1.2",
    "modality": "CT",
    "image_type": ("ORIGINAL", "PRIMARY", "AXIAL"),
    "number": 4,
    "description": "",
    "kernel": "B40f",
    "thickness": 1.0,
    "manufacturer": "ACME",
    "model": "Scanner",
    "rescale_type": "HU",
    "colour": False,
    "lossy": False,
    "study_uid": "1.2",
    "body_part": "",
}


def summary(number: int, slices: int = 301, length: float = 300.0, axial: bool = True, **header: Any) -> SeriesSummary:
    """Return a summary whose UID ends in its number."""
    stated = SeriesHeader(**{**HEADER, "number": number, "series_uid": f"1.2.3.{number}", **header})
    return SeriesSummary(Series(stated, ()), Path(f"s{number}"), slices, Extent(axial, -length, 0.0))


def chosen(*series: SeriesSummary) -> tuple[int | None, str]:
    """Return the number of the chosen series, and why, whatever the order."""
    answers = {(item.series.header.number, reason) for item, reason in map(choose_chest_series, (series, series[::-1]))}
    assert len(answers) == 1
    return answers.pop()


def test_the_only_ct_is_chosen() -> None:
    assert chosen(summary(7)) == (7, "the only CT series of the study")
    scout = summary(1, image_type=("ORIGINAL", "PRIMARY", "LOCALIZER"))
    assert chosen(scout, summary(7), summary(9, modality="SR")) == (7, "the only CT series of the study")


@pytest.mark.parametrize(
    ("worse", "reason"),
    [
        ({"slices": 8, "length": 40.0}, "axial and long enough"),
        ({"axial": False}, "axial and long enough"),
        ({"image_type": ("DERIVED", "SECONDARY", "MPR")}, "axial and long enough"),
        ({"description": "Abdomen 1.0"}, "chest according to its description"),
        ({"body_part": "HEAD", "description": "1.0"}, "chest according to its description"),
        ({"lossy": True}, "without lossy compression"),
        ({"description": "Thorax exp 1.0"}, "not in expiration"),
        ({"slices": 121, "length": 120.0}, "covers the lungs"),
        ({"slices": 61}, "distance between slices nearest to 1 mm"),
        ({"slices": 601}, "distance between slices nearest to 1 mm"),
        ({}, "lowest series number"),
    ],
)
def test_each_rule_decides(worse: dict[str, Any], reason: str) -> None:
    # The worse series would win by its number.
    numbers = (2, 1) if worse else (2, 3)
    good, bad = summary(numbers[0], description="Thorax"), summary(numbers[1], **{"description": "Thorax", **worse})
    assert chosen(good, bad) == (2, f"1 of 2 CT series: {reason}")


def test_a_chest_with_abdomen_counts_as_chest_and_no_name_beats_another_part() -> None:
    assert chosen(summary(1, description="Thorax/Abdomen"), summary(2))[0] == 1
    assert chosen(summary(1, description="Head"), summary(2))[0] == 2


def test_reasons_add_up() -> None:
    series = summary(1, description="Head"), summary(2, slices=61), summary(3)
    assert chosen(*series) == (
        3,
        "1 of 3 CT series: chest according to its description, distance between slices nearest to 1 mm",
    )


def test_a_study_without_a_ct_yields_what_reading_explains() -> None:
    number, reason = chosen(summary(1, modality="MR"), summary(2, modality="MR"))
    assert (number, reason) == (1, "1 of 2 series: lowest series number")


def test_parts_of_a_series_in_several_folders_are_joined(tmp_path: Path) -> None:
    write_series(tmp_path / "a", np.zeros((30, 8, 8)), uid="1.2.3")
    files = sorted((tmp_path / "a").iterdir())
    (tmp_path / "b").mkdir()
    for path in files[::2]:
        path.rename(tmp_path / "b" / path.name)
    (whole,) = [summary_of(series, tmp_path) for series in list_series(tmp_path)]
    parts = [
        SeriesSummary(part.series, part.folder, part.slices, part.extent)
        for folder in (tmp_path / "a", tmp_path / "b")
        for part in (summary_of(series, folder) for series in list_series(folder))
    ]
    # Every slice of the factory has a study of its own.
    joined = join_parts([SeriesSummary(whole.series, part.folder, part.slices, part.extent) for part in parts])
    assert joined == [whole]
