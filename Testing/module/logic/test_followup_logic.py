"""Logic of the section "followup", without widgets."""

import harness
import pytest
import slicer


@pytest.fixture
def logic():
    return harness.make_logic()


def test_the_latest_earlier_ct_of_the_patient_is_likely(logic):
    ct = harness.make_ct("April")
    harness.put_in_dated_study(ct, "4711", "20200402")
    assert logic.followup.likely_prior(ct) is None
    for name, patient, date in (
        ("February", "4711", "20200201"),
        ("March", "4711", "20200302"),
        ("May", "4711", "20200502"),
        ("Other", "815", "20200320"),
    ):
        harness.put_in_dated_study(harness.make_ct(name), patient, date)
    harness.make_ct("without study")
    prior = logic.followup.likely_prior(ct)
    assert prior.GetName() == "March"
    assert logic.followup.days_between(ct, prior) == 31
    assert logic.followup.days_between(ct, slicer.util.getNode("May")) == -30
    assert logic.followup.days_between(ct, slicer.util.getNode("without study")) is None


def test_patients_are_compared_by_their_ids(logic):
    ct, same, other, unknown = (harness.make_ct(name) for name in ("ct", "same", "other", "unknown"))
    for node, patient in ((ct, "4711"), (same, "4711"), (other, "815")):
        harness.put_in_dated_study(node, patient, "20200402")
    assert not logic.followup.is_other_patient(ct, same)
    assert logic.followup.is_other_patient(ct, other)
    assert not logic.followup.is_other_patient(ct, unknown)
