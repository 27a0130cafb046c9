"""The text of a card is complete, and leaves out what is not known."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import CovidSegLib
from CovidSegLib import models
from CovidSegLib.models import Model
from CovidSegLib.models.description import describe

CARD: dict[str, Any] = {
    "title": "A model",
    "summary": "It finds things.",
    "recipe": "unet-cascade",
    "sha256": "0123",
    "threshold": 0.4,
    "temperature": 1.25,
    "created": "2026-11-24",
    "licence": "For research.",
    "use": ["To look at opacities."],
    "not_for": ["To decide by."],
    "data": {"A set": "some slices"},
    "training": ["For an hour."],
    "trained_on": ["p1", "p2"],
    "calibrated_on": ["p1", "p2"],
    "limits": ["It fails at night."],
    "results": {
        "how": "By looking.",
        "masks": {
            "p1": {"lungs": {"dice": 0.98, "nsd_3mm": 0.9}, "infection": {"dice": 0.5, "nsd_3mm": 0.7}},
            "p2": {"lungs": {"dice": 0.96, "nsd_3mm": 0.8}, "infection": {"dice": 0.7, "nsd_3mm": 0.9}},
            "p3": {"infection": {"dice": 0.6, "precision": 0.25}},
        },
        "whole_scans": {
            "s1": {"diagnosis": "normal", "sensitivity": None, "specificity": 0.975, "involvement_percent": 0.02}
        },
    },
}


def test_the_text_has_all_of_a_card_and_tables_with_intervals() -> None:
    text = describe(Model(Path("nowhere"), CARD))
    assert text.startswith(
        "# A model\n\nName: `nowhere`\n\nIt finds things.\n\n**Research software. Not for diagnosis.**\n"
    )
    for line in (
        "- To look at opacities.",
        "- To decide by.",
        "- A set: some slices",
        "Licence of the weights: For research.",
        "For an hour.",
        "Trained on: p1, p2.",
        "By looking.",
        "| p1 | 0.500 | 0.700 | - | - | - | 0.980 | 0.900 |",
        "| p3 | 0.600 | - | - | 0.250 | - | - | - |",
        "| s1 | normal | - | 97.5 % | 0.02 |",
        "- It fails at night.",
        "- SHA-256 of the weights: `0123`",
    ):
        assert f"\n{line}\n" in text
    assert "| **mean** | **0.600** [0.500, 0.700] | " in text
    assert (
        "from a probability of 0.4. The temperature, by which the logits are divided, is 1.25. Both were chosen on 2 "
        in text
    )


def test_sections_without_data_are_left_out() -> None:
    bare = {key: CARD[key] for key in ("title", "summary", "recipe", "sha256", "threshold", "licence")}
    text = describe(Model(Path("nowhere"), bare))
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Threshold and calibration",
        "## Version",
    ]
    assert "temperature" not in text and "\n\n\n" not in text


def test_cards_of_earlier_versions_are_described() -> None:
    changes = {"licence": "Weights: for research.", "results": {"masks": {"p1": {"lungs": 0.9, "infection": 0.5}}}}
    text = describe(Model(Path("nowhere"), {**CARD, **changes}))
    assert "\nLicence of the weights: for research.\n" in text
    assert "| p1 | 0.500 | - | - | - | - | 0.900 | - |" in text


def test_the_page_of_the_default_model_is_its_card_with_pictures() -> None:
    page = Path(CovidSegLib.__file__).parents[1] / "docs" / "model-card.md"
    text = page.read_text(encoding="utf-8")
    assert text.startswith(describe(models.find_model()))
    pictures = re.findall(r"!\[.*\]\((.*)\)", text)
    assert len(pictures) == 4 and all((page.parent / name).is_file() for name in pictures)
