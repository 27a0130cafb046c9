"""What a report says."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.reports import many_lesions, small_content
from support.results import SEGMENTATION, VOLUME

from CovidSegLib.models import find_model
from CovidSegLib.models.accuracy import NOT_MEASURED, UNTRAINED, accuracy_of
from CovidSegLib.quantification import quantify
from CovidSegLib.reports import wording
from CovidSegLib.reports.content import SYNTHETIC, content_of
from CovidSegLib.reports.edits import edits_of
from CovidSegLib.reports.review import Edits, Reader, Review, review_of

REPORT = quantify(VOLUME, SEGMENTATION)


def test_numbers_are_those_of_the_report_for_programs() -> None:
    content = small_content()
    for region, name in zip(content.regions, ("right", "left", "both"), strict=False):
        numbers = REPORT["lungs"][name]
        assert region.volume_ml == pytest.approx(numbers["volume_ml"], abs=1e-3)
        assert region.infection_ml == pytest.approx(numbers["infection_ml"], abs=1e-3)
        assert region.mean_hu == pytest.approx(numbers["mean_hu"], abs=0.1)
    assert len(content.regions) == 3 + 6
    assert [region.score for region in content.regions[3:]] == list(content.severity.parts.values())
    zones = sum(region.infection_ml or 0 for region in content.regions[3:])
    assert zones == pytest.approx(content.both.infection_ml)


def test_lesions_are_those_of_the_report_for_programs() -> None:
    listed = REPORT["lesions"]["list"]
    lesions = small_content().lesions
    assert listed
    assert [(lesion.number, lesion.volume_ml, lesion.side) for lesion in lesions] == [
        (lesion["number"], lesion["volume_ml"], lesion["lung"]) for lesion in listed
    ]
    assert {lesion.zone for lesion in lesions} <= {"upper", "middle", "lower"}


def test_the_panels_numbers_replace_those_that_are_counted() -> None:
    content = small_content()
    regions = [vars(replace(region, infection_ml=1.5)) for region in content.regions]
    lesions = [vars(lesion) for lesion in (*many_lesions(2), *many_lesions(1, "rejected", 7))]
    review = Review(
        threshold=0.3, edits=Edits(0.9, 1.0, 2.0), lesions=lesions, regions=regions, severity=vars(content.severity)
    )
    shown = content_of(VOLUME, SEGMENTATION, review_of(json.loads(json.dumps(review.as_json()))))
    assert shown.both.infection_ml == 1.5
    assert [lesion.number for lesion in shown.lesions] == [1, 2]
    assert wording.edit_sentences(shown) == [
        "1.0 ml of infection added, 2.0 ml removed. Dice to the masks of the model 0.900.",
        "Lesions rejected: 1 (14.3 ml; no. 7).",
    ]


def test_masks_are_compared_with_those_of_the_model() -> None:
    infection = SEGMENTATION.infection.copy()
    infection[infection.nonzero()[0][0]] = False
    edits = edits_of(replace(SEGMENTATION, infection=infection), SEGMENTATION)
    removed = np.count_nonzero(SEGMENTATION.infection) - np.count_nonzero(infection)
    assert edits.removed_ml == pytest.approx(removed * SEGMENTATION.grid.voxel_ml)
    assert edits.added_ml == 0
    assert 0 < edits.dice < 1
    assert wording.edit_sentences(small_content()) == [wording.UNEDITED]
    assert wording.edit_sentences(content_of(VOLUME, SEGMENTATION)) == [wording.NOT_REVIEWED]


def facts(**settings: Any) -> dict[str, str]:
    model = find_model()
    provenance = {
        "model": {"name": model.name, "title": model.title, "sha256": model.card["sha256"], "trained": True},
        "settings": {"infection_threshold": 0.5},
        "versions": {"torch": "2.0"},
    }
    return dict(content_of(VOLUME, replace(SEGMENTATION, provenance=provenance), Review(**settings)).facts)


def test_threshold_model_and_versions_are_stated() -> None:
    assert facts()["Threshold of the probability"] == "0.5"
    assert facts(threshold=0.35)["Threshold of the probability"] == "0.35 (the model's is 0.5)"
    assert facts()["Model"] == "QC-HC cascade (qc-hc-cascade)"
    assert "torch 2.0" in facts()["Versions"]


def test_accuracy_is_that_of_the_card() -> None:
    infection, lungs, how = accuracy_of(find_model().card)
    assert infection == "Infection: mean Dice 0.734 (95 % interval 0.606 to 0.819, 14 patients)."
    assert lungs.startswith("Lungs: mean Dice 0.982")
    assert how.startswith("Cross-validation")
    assert accuracy_of({"sha256": "1"}) == (NOT_MEASURED,)
    assert accuracy_of({"sha256": None}) == (UNTRAINED,)


def test_synthetic_ct_and_untrained_model_have_a_banner() -> None:
    volume = replace(VOLUME, source={"format": "synthetic phantom"})
    untrained = replace(SEGMENTATION, provenance={"model": {"trained": False}})
    banner = content_of(volume, untrained).banner
    assert SYNTHETIC in banner
    assert "UNTRAINED" in banner
    assert content_of(replace(VOLUME, source={}), SEGMENTATION).banner == ""


def test_sentences() -> None:
    content = small_content()
    assert wording.lesion_title(replace(content, lesions=())) == "Lesions: none"
    assert wording.lesion_title(replace(content, lesions=many_lesions(60))).startswith("Lesions: the 10 largest of 60")
    clean = replace(content, regions=tuple(replace(region, infection_ml=0.0) for region in content.regions))
    assert wording.headline(clean) == wording.NO_INFECTION
    assert "1 lesion of" in wording.summary(replace(content, lesions=many_lesions(1)))


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "other"},
        {"reader": {"co_rads": "CO-RADS 9"}},
        {"reader": {"patient": 7}},
        {"reader": {"impression": "x" * 5000}},
        {"threshold": float("nan")},
        {"edits": {"dice": 1.0, "unknown": 2.0}},
    ],
)
def test_reviews_that_cannot_be_used(change: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        review_of({**Review().as_json(), **change})


def test_texts_of_the_reader_are_kept() -> None:
    reader = Reader("王小明", "one\ntwo", "CO-RADS 3: equivocal", "Typical appearance", "محمد", "1.2.2026")
    assert review_of(Review(reader).as_json()).reader == reader
    assert review_of(Review(Reader("a\x1b[2Jb\u202e")).as_json()).reader.patient == "a\\x1b[2Jb\\u202e"
