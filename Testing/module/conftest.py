"""Starts the stand-ins for Slicer before tests are imported. Skips the tests if slicer-core or PySide6 is missing."""

import os
import sys
import traceback
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MODULE = HERE.parents[1] / "CovidSeg"
#: Tests that only read files, so that they need neither slicer-core nor PySide6.
WITHOUT_SLICER = {"test_rules.py", "test_cmake.py"}

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
sys.path.insert(0, str(MODULE))

try:
    from stand_ins import application, scripted_module
except ImportError as error:
    PROBLEM = f"needs slicer-core and PySide6-Essentials: {error}"
else:
    PROBLEM = ""
    application.start()
    scripted_module.module_paths["CovidSeg"] = str(MODULE / "CovidSeg.py")


class SkippedModule(pytest.Module):
    """A test file that cannot be imported here."""

    def collect(self):
        pytest.skip(PROBLEM, allow_module_level=True)


def pytest_pycollect_makemodule(module_path, parent):
    if PROBLEM and HERE in module_path.parents and module_path.name not in WITHOUT_SLICER:
        return SkippedModule.from_parent(parent, path=module_path)
    return None


@pytest.fixture(autouse=True)
def no_errors_in_callbacks(monkeypatch):
    """Fail a test if an observer of the scene or a slot raises an exception, which VTK and Qt only print."""
    errors = []
    monkeypatch.setattr("sys.excepthook", lambda kind, error, at: errors.append(error))
    yield
    assert not errors, "".join(traceback.format_exception(errors[0]))


@pytest.fixture(autouse=True)
def clean(tmp_path, monkeypatch):
    """Give each test an empty scene and its own temporary folder, and check afterwards that the folder is empty."""
    if PROBLEM:
        yield None
        return
    import slicer

    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    slicer.mrmlScene.Clear(False)
    slicer.app.userSettings().clear()
    yield folder
    slicer.mrmlScene.Clear(False)
    assert not list(folder.iterdir()), "temporary files were left"


@pytest.fixture
def module_widget():
    """The module, opened in a window, with two models and the fake child process."""
    import harness
    import slicer
    from stand_ins.mrml_widgets import retire

    import CovidSeg

    widget = CovidSeg.CovidSegWidget(logic=harness.make_logic())
    widget.setup()
    widget.enter()
    widget.panel.sections["input"].poll_milliseconds = 20
    widget.parent.resize(400, 520)
    widget.parent.show()
    slicer.app.processEvents()
    yield widget
    widget.cleanup()
    widget.parent.close()
    retire(widget.parent)


@pytest.fixture
def panel(module_widget):
    """The panel of the opened module."""
    return module_widget.panel
