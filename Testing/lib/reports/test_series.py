"""Series are named by number, description and UID, and never by the patient."""

from __future__ import annotations

import pytest

from CovidSegLib.reports.series import Series, series_of

IDENTITY = ["Doe^Jane^Lu", "SECRET-4711", "19700131", "", "王^小明"]


@pytest.mark.parametrize(
    "description",
    [
        "Thorax Doe",
        "DOE_JANE chest",
        "janedoe thorax",
        "Lung 4711",
        "Thorax 31.01.1970",
        "Thorax 310170",
        "lu thorax",
        "CT 小明",
    ],
)
def test_a_description_with_the_patient_is_left_out(description: str) -> None:
    assert series_of("4", description, "1.2.3", IDENTITY) == Series("4", "", "1.2.3")


@pytest.mark.parametrize("description", ["Thorax 2.0 B40f", "Lung 1.0 Bl57 3", "肺 1mm"])
def test_other_descriptions_are_kept(description: str) -> None:
    assert series_of("4", description, "1.2.3", IDENTITY).title == f"4: {description}"


def test_control_characters_and_missing_values() -> None:
    assert series_of("", " Thorax\n\x1b[31m ", "1.2", []).title.startswith("Thorax")
    assert "\x1b" not in series_of("", "Thorax\x1b[31m", "1.2", []).title
    assert series_of("4", "", "1.2", []).title == "4"
    assert series_of("", "", "", []) == Series()
