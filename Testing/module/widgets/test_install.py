"""The section "install", as the user meets it."""

from pathlib import Path

import harness
import pytest
import qt
import slicer
from harness import click, segment, shown

from CovidSegModule.packages.installer import InstallError


@pytest.fixture
def installer(panel, monkeypatch):
    """An installer that lacks torch."""
    monkeypatch.setattr(slicer.app, "testingEnabled", lambda: False)
    installer = panel.sections["input"].logic.installer = harness.FakeInstaller(["torch"])
    panel.update()
    return installer


def test_the_section_is_hidden_if_everything_is_installed(panel):
    assert not shown(panel.ui.installPanel)


def test_install_after_one_question(panel, installer, monkeypatch):
    questions = []
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text, title: questions.append(text) or True)
    assert shown(panel.ui.installButton)
    assert panel.ui.installLabel.text == "Python packages are missing: torch."
    click(panel.ui.installButton)
    assert installer.calls == ["install"]
    assert len(questions) == 1
    assert "are free" in questions[0]
    assert not shown(panel.ui.installPanel)


def test_refusing_installs_nothing(panel, installer, monkeypatch):
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text, title: False)
    click(panel.ui.installButton)
    assert installer.calls == []


def test_a_failure_is_explained_and_can_be_repaired(panel, installer, monkeypatch):
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text, title: True)
    installer.problem = InstallError("The internet cannot be reached.")
    click(panel.ui.installButton)
    assert panel.ui.installLabel.text == "The internet cannot be reached."
    assert panel.ui.installButton.text == "Repair..."
    installer.problem = None
    click(panel.ui.installButton)
    assert not shown(panel.ui.installPanel)


def test_a_damaged_package_shows_repair(panel, monkeypatch):
    harness.make_ct()
    segment(panel, "broken")
    assert panel.ui.installButton.text == "Repair..."
    assert "Damaged Python packages: monai" in panel.ui.installLabel.text


def test_install_from_a_folder(panel, installer, monkeypatch, tmp_path):
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    click(panel.ui.folderButton)
    assert installer.calls == [("install_from_folder", Path(tmp_path)), "install"]
    assert not shown(panel.ui.installPanel)


def test_cancel_while_installing(panel, installer, monkeypatch):
    def install():
        assert shown(panel.ui.cancelInstallButton)
        assert not shown(panel.ui.installButton)
        click(panel.ui.cancelInstallButton)
        raise InstallError("Cancelled.")

    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text, title: True)
    installer.install = install
    click(panel.ui.installButton)
    assert installer.calls == ["cancel"]
    assert panel.ui.installLabel.text == "Cancelled."


def test_a_full_disk_is_explained(panel, installer, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 0}))
    click(panel.ui.installButton)
    assert "too little space" in panel.ui.installLabel.text
    assert installer.calls == []
