"""The section "install": install or repair the Python packages. It is hidden if everything is installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from ..logic.install import InstallLogic
from ..packages.installer import InstallError
from .section import Section, SectionHost


class InstallSection(Section):
    """Offer to install what is missing.

    Args:
        panel: The panel that the section is part of.
        logic: The logic of this section.

    Attributes:
        installing: True while packages are installed. The application processes events meanwhile.
        problem: Why the last installation failed; empty if it did not.
    """

    name = "install"

    def __init__(self, panel: SectionHost, logic: InstallLogic):
        super().__init__(panel)
        self.logic = logic
        self.installing = False
        self.problem = ""

    def setup(self) -> None:
        """Connect the buttons."""
        self.ui.installButton.connect("clicked(bool)", self.on_install)
        self.ui.folderButton.connect("clicked(bool)", self.on_folder)
        self.ui.cancelInstallButton.connect("clicked(bool)", self.on_cancel)

    def cleanup(self) -> None:
        """Stop installing."""
        if self.installing:
            self.logic.cancel()

    def update(self) -> None:
        """Show what is missing."""
        plan = self.logic.plan()
        self.ui.installPanel.visible = plan is not None or self.installing
        damaged = bool(self.logic.installer.broken())
        if self.installing:
            self.ui.installLabel.text = _("Installing Python packages. You can go on working in Slicer.")
        elif plan is not None:
            self.ui.installLabel.text = self.problem or self.logic.description(plan)
        self.ui.installLabel.setStyleSheet("color: #e03131;" if self.problem and not self.installing else "")
        self.ui.installButton.text = _("Repair...") if damaged or self.problem else _("Install...")
        self.ui.installButton.visible = self.ui.folderButton.visible = not self.installing
        self.ui.cancelInstallButton.visible = self.installing

    def on_install(self, _checked: bool = False) -> None:
        """Install or repair after asking."""
        plan = self.logic.plan()
        # In testing mode, Slicer answers every question with yes, but a test must not install anything.
        if plan is None or slicer.app.testingEnabled():
            return
        if not plan.fits:
            self.problem = plan.too_little_space()
            self.update()
        elif slicer.util.confirmOkCancelDisplay(plan.question(), "CovidSeg"):
            self._install(self.logic.install)

    def on_folder(self, _checked: bool = False) -> None:
        """Install from a folder of wheels."""
        folder = qt.QFileDialog.getExistingDirectory(self.widget, _("Folder of Python packages (.whl files)"))
        if folder:
            self._install(lambda: self.logic.install_from_folder(Path(folder)))

    def on_cancel(self, _checked: bool = False) -> None:
        """Stop installing."""
        self.logic.cancel()
        self.ui.installLabel.text = _("Cancelling after the present package.")

    def _install(self, action: Callable[[], None]) -> None:
        self.installing, self.problem = True, ""
        self.panel.update()
        try:
            action()
        except InstallError as error:
            self.problem = str(error)
        finally:
            self.installing = False
            self.panel.update()
