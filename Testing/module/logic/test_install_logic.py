"""The logic of the section "install"."""

import harness

from CovidSegModule.logic.input import InputLogic
from CovidSegModule.logic.install import InstallLogic


def test_nothing_is_planned_if_everything_is_installed():
    assert InstallLogic(InputLogic(harness.FakeInstaller())).plan() is None


def test_missing_and_damaged_packages_are_named():
    installer = harness.FakeInstaller(["torch"])
    logic = InstallLogic(InputLogic(installer))
    assert logic.description(logic.plan()) == "Python packages are missing: torch."
    installer.find_broken()
    assert logic.description(logic.plan()) == "Damaged Python packages: monai. Repair installs them again."
