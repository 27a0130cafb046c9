"""The sample CT in the panel and in Slicer's module Sample Data."""

import sys
from types import SimpleNamespace

import harness
import pytest
import slicer
from harness import click, shown

import CovidSeg
from CovidSegLib.phantom import make_phantom
from CovidSegLib.volume import Grid, GridSpacing
from CovidSegModule import sample_data


@pytest.fixture
def small(monkeypatch):
    """Make a coarse phantom, which is fast."""
    grid = Grid((40, 60, 60), GridSpacing(6.0, 6.0, 8.0), (-180.0, -180.0, -160.0))
    monkeypatch.setattr("CovidSegLib.phantom.make_phantom", lambda: make_phantom(grid))
    monkeypatch.setattr(slicer.util, "setSliceViewerLayers", lambda **_: None)


def test_the_panel_loads_a_sample(panel, small):
    assert shown(panel.ui.sampleButton)
    click(panel.ui.sampleButton)
    assert not panel.ui.sampleButton.enabled
    harness.wait_until(lambda: panel.parameters.ct is not None)
    assert panel.ui.inputSelector.currentNode().GetName() == "Synthetic chest CT"
    assert slicer.util.arrayFromVolume(panel.parameters.ct).min() < -900
    assert not shown(panel.ui.sampleButton)
    harness.segment(panel)


def test_the_module_sample_data_offers_the_sample(small, monkeypatch):
    sources = []
    logic = SimpleNamespace(registerCustomSampleDataSource=lambda **options: sources.append(options))
    monkeypatch.setitem(sys.modules, "SampleData", SimpleNamespace(SampleDataLogic=logic))
    CovidSeg.CovidSeg(SimpleNamespace())
    signal, register = slicer.app.connections[-1]
    assert signal == "startupCompleted()"
    register()
    hosted, source = sources
    assert hosted["uris"].startswith("https://")
    assert hosted["uris"].rpartition("/")[2] == hosted["checksums"].removeprefix("SHA256:"), "named by its content"
    assert len(hosted["checksums"]) == len("SHA256:") + 64
    assert sample_data.THUMBNAIL.is_file()
    (node,) = source["customDownloader"](SimpleNamespace(**source))
    assert node.GetName() == "Synthetic chest CT"
