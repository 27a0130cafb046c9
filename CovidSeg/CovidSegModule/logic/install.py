"""Logic of the section "install": what is missing or damaged, and how to install or repair it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ..packages.installer import Installer
from ..packages.plan import Plan, make_plan

if TYPE_CHECKING:
    from .input import InputLogic


class InstallLogic:
    """Install the Python packages of the child process.

    Args:
        input_logic: The logic that holds the installer.
    """

    def __init__(self, input_logic: InputLogic):
        self._input = input_logic

    @property
    def installer(self) -> Installer:
        """The installer."""
        return self._input.installer

    def plan(self) -> Plan | None:
        """Return what must be installed, or None if everything is installed."""
        missing = self.installer.missing()
        return make_plan(missing) if missing else None

    def description(self, plan: Plan) -> str:
        """Return what is missing and what that means, in one sentence."""
        damaged = self.installer.broken()
        if damaged:
            return _("Damaged Python packages: {names}. Repair installs them again.").format(names=", ".join(damaged))
        return _("Python packages are missing: {names}.").format(names=", ".join(plan.names))

    def install(self) -> None:
        """Install what is missing, and install again what is damaged.

        Raises:
            InstallError: That failed. The message is for the user.
        """
        self.installer.install()
        self._input.readiness.forget_devices()

    def install_from_folder(self, folder: Path) -> None:
        """Install what is missing from a folder of wheels. See `install`."""
        self.installer.install_from_folder(folder)
        self._input.readiness.forget_devices()

    def cancel(self) -> None:
        """Stop the installation as soon as possible."""
        self.installer.cancel()
