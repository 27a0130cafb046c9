"""Origin and licence of the training data in a model card."""

from __future__ import annotations

from CovidSegLib.data.licences import card_facts


def test_the_facts_of_all_data_are_joined() -> None:
    facts = card_facts(["covid19_ct_seg_hu", "covid_ct_md", "medseg_slices", "whole_scans"])
    assert list(facts["data"]) == ["COVID-19-CT-Seg", "MedSeg", "COVID-CT-MD", "Whole scans without COVID-19"]
    assert facts["licence"].startswith("CC BY-NC-SA 4.0")
    assert len(facts["limits"]) == 2


def test_data_of_unknown_terms_promise_nothing() -> None:
    assert card_facts(["covid19_ct_seg_hu", "pairs"]) == {}
    assert card_facts(["medseg_slices"]) == {}
    assert card_facts(["covid_ct_md"]) == {}
