"""The section "followup", as the user meets it."""

import harness
import pytest
from harness import click, show_result, shown, wait_until
from stand_ins.slice_views import SliceViews


@pytest.fixture
def views():
    views = SliceViews()
    yield views
    views.close()


@pytest.fixture
def prior(panel, views):
    """An earlier CT of the same patient, and the result of a later one that is shown."""
    prior = harness.make_ct("March", array=harness.several_lesions())
    harness.put_in_dated_study(prior, "4711", "20200302")
    harness.make_result(prior)
    ct = harness.make_ct("April", array=harness.later_lesions())
    harness.put_in_dated_study(ct, "4711", "20200402")
    show_result(panel, ct)
    return prior


@pytest.fixture
def section(panel, prior):
    section = panel.sections["followup"]
    section.poll_milliseconds = 20
    return section


def compare(panel, mode="done"):
    section = panel.sections["followup"]
    panel.sections["input"].logic.program = harness.fake(mode)
    click(panel.ui.compareButton)
    wait_until(lambda: section.task is None)


def texts(table, column):
    return [table.item(row, column).text() for row in range(table.rowCount)]


def test_compare_and_look(panel, section, prior, views):
    panel.parameters.prior = prior
    assert panel.ui.daysBox.value == 31
    compare(panel)
    assert panel.ui.followupStatusLabel.text == "", panel.ui.followupStatusLabel.text
    assert shown(panel.ui.followupResultPanel)
    assert panel.ui.followupHeadline.text == ("Infection 40.8 → 48.3 ml (+7.5 ml), 4.3 → 5.1 % of the lungs in 31 days")
    assert panel.ui.changesLabel.text == "Lesions: 1 new, 1 grown, 2 stable, 1 resolved"
    assert texts(panel.ui.changesTable, 0) == ["grown", "new", "resolved", "stable", "stable"]
