"""Brings up the stand-ins before the tests are imported; without slicer-core or PySide6 these are skipped."""

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
#: Tests of files, which need neither.
WITHOUT_SLICER = {"test_rules.py", "test_cmake.py"}

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
sys.path.insert(0, str(HERE.parents[1] / "CovidSeg"))

try:
    from stand_ins import application, scripted_module
except ImportError as error:
    PROBLEM = f"needs slicer-core and PySide6-Essentials: {error}"
else:
    PROBLEM = ""
    application.start()
    scripted_module.module_paths["CovidSeg"] = str(HERE.parents[1] / "CovidSeg" / "CovidSeg.py")


class SkippedModule(pytest.Module):
    """A file of tests that cannot be imported here."""

    def collect(self):
        pytest.skip(PROBLEM, allow_module_level=True)


def pytest_pycollect_makemodule(module_path, parent):
    if PROBLEM and module_path.parent == HERE and module_path.name not in WITHOUT_SLICER:
        return SkippedModule.from_parent(parent, path=module_path)
    return None


@pytest.fixture(autouse=True)
def clean(tmp_path, monkeypatch):
    """An empty scene and a temporary folder of its own for each test; afterwards nothing may be left in that folder."""
    if PROBLEM:
        yield None
        return
    import slicer

    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    slicer.mrmlScene.Clear(False)
    yield folder
    slicer.mrmlScene.Clear(False)
    assert not list(folder.iterdir()), "temporary files were left"


@pytest.fixture
def panel():
    """The panel, opened in a window, with two models and a fake child that is set by `panel.logic.program`."""
    import harness
    import slicer

    import CovidSeg

    widget = CovidSeg.CovidSegWidget()
    CovidSeg.CovidSegLogic.models, models = lambda self: harness.MODELS, CovidSeg.CovidSegLogic.models
    widget.setup()
    CovidSeg.CovidSegLogic.models = models
    widget.logic.program = harness.fake("done")
    widget.logic.installer = harness.FakeInstaller()
    widget._timer.setInterval(20)
    widget.parent.resize(400, 520)
    widget.parent.show()
    slicer.app.processEvents()
    yield widget
    widget.cleanup()
    widget.parent.close()
    widget.parent.deleteLater()
