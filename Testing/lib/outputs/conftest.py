"""Tests of results do not draw the overview."""

import sys
import types

import pytest


@pytest.fixture(autouse=True)
def overview_calls(monkeypatch):
    """Replace the overview by a fast one, and record its arguments."""
    calls = []

    def draw_overview(path, *arguments):
        path.write_bytes(b"picture")
        calls.append(arguments)

    module = types.ModuleType("CovidSegLib.figures.overview")
    module.draw_overview = draw_overview
    monkeypatch.setitem(sys.modules, "CovidSegLib.figures.overview", module)
    return calls
