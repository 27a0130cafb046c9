"""A whole reading by clicks and keys, with the real child process on a coarse CT."""

import pytest
import slicer
from reading import Reading, make_widget
from support.phantoms import COARSE, phantom_on

from CovidSegLib.phantom import make_phantom


@pytest.fixture
def reading(monkeypatch, tmp_path):
    widget = make_widget()
    widget.parent.resize(430, 800)
    widget.parent.show()
    slicer.app.processEvents()
    played = Reading(widget, tmp_path, lambda: make_phantom(COARSE, seed=1).volume)
    monkeypatch.setattr("CovidSegLib.phantom.make_phantom", lambda: phantom_on(COARSE))
    monkeypatch.setattr(slicer.util, "setSliceViewerLayers", lambda **_: None)
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", played.confirm)
    yield played
    widget.cleanup()
    widget.parent.close()
    widget.parent.deleteLater()


def test_a_whole_reading(reading):
    for _name, act, _widget in reading.steps():
        act()
