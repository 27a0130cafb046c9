"""A whole reading by clicks and keys, with the real child process on a coarse CT."""

import harness
import numpy as np
import pytest
import slicer
from reading import Reading, make_widget
from stand_ins.mrml_widgets import retire
from support.phantoms import COARSE, phantom_on

from CovidSegLib.volume import Volume


def earlier_ct():
    """Return a CT that the fake child process segments: the upper half of the infection, and more in the left lung."""
    phantom = phantom_on(COARSE)
    array = np.full(phantom.lungs.shape, 40, np.int16)
    array[phantom.lungs == 1], array[phantom.lungs == 2] = -850, -851
    infection = phantom.infection.copy()
    infection[: len(infection) // 2] = False
    infection |= (phantom.lungs == 2) & (np.arange(len(array)) == len(array) // 3)[:, None, None]
    array[infection] = -500
    return Volume(array, COARSE)


@pytest.fixture
def reading(monkeypatch, tmp_path):
    widget = make_widget()
    widget.parent.resize(430, 800)
    widget.parent.show()
    slicer.app.processEvents()
    played = Reading(widget, tmp_path, earlier_ct)
    played.follow_up_program = harness.fake("done")
    monkeypatch.setattr("CovidSegLib.phantom.make_phantom", lambda: phantom_on(COARSE))
    monkeypatch.setattr(slicer.util, "setSliceViewerLayers", lambda **_: None)
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", played.confirm)
    yield played
    widget.cleanup()
    widget.parent.close()
    retire(widget.parent)


def test_a_whole_reading(reading):
    for _name, act, _widget in reading.steps():
        act()
