"""Install the Python packages of the child process: torch through the PyTorch extension, the others with pip."""

from __future__ import annotations

import contextlib
import importlib
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import slicer
from packaging.requirements import Requirement
from slicer.i18n import tr as _

from .plan import make_plan
from .protection import pip_settings, torch_kept_out
from .verification import import_problems, is_installed

REQUIREMENTS = Path(__file__).parents[2] / "Resources" / "requirements.txt"
#: Names of modules that differ from the names of their packages.
MODULES = {"scikit-image": "skimage"}


class InstallError(Exception):
    """The packages could not be installed. The message tells the user why, and what to do."""


class Installer(Protocol):
    """The Python packages, as seen by the panel."""

    def missing(self) -> list[str]:
        """Return the names of the packages that must be installed. Fast enough to call at every press of a button."""

    def install(self) -> None:
        """Install the missing packages. Raise InstallError if that fails."""

    def find_broken(self) -> list[str]:
        """Try out all packages. Those that do not load count as missing from then on."""


def question(missing: list[str]) -> str:
    """Return the question to ask before anything is installed."""
    return make_plan(missing).question()


class SlicerInstaller:
    """An `Installer` for Slicer's own Python.

    Args:
        idle: Called repeatedly while waiting, so that the application can process events.
        requirements: File with one requirement per line.
    """

    def __init__(self, idle: Callable[[], None] = lambda: None, requirements: Path = REQUIREMENTS):
        self._idle = idle
        lines = requirements.read_text(encoding="utf-8").splitlines()
        self._requirements = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
        self._broken: set[str] = set()

    def missing(self) -> list[str]:
        """Return the names of packages that are not installed, too old or broken."""
        return [item.name for item in self._requirements if item.name in self._broken or not is_installed(item)]

    def install(self) -> None:
        """Install the missing packages and try them out.

        Raises:
            InstallError: A package could not be installed or does not work.
        """
        names = self.missing()
        plan = make_plan(names)
        if not plan.fits:
            raise InstallError(plan.too_little_space())
        missing = [item for item in self._requirements if item.name in names]
        torch = [item for item in missing if item.name == "torch"]
        others = [item for item in missing if item.name != "torch"]
        if torch:
            with pip_settings(replaceable=("torch", "torchvision")):
                self._install_torch(torch[0])
        if others:
            with pip_settings():
                self._install_with_pip(others)
        importlib.invalidate_caches()
        # pip and light-the-torch may succeed without installing anything, so ask again.
        absent = [item.name for item in missing if not is_installed(item)]
        if absent:
            logging.error("CovidSeg: not installed: %s", ", ".join(absent))
            raise InstallError(_cannot_install(absent))
        broken = self.find_broken()
        if broken:
            message = _("These Python packages were installed but do not work: {names}. Restart Slicer and try again.")
            raise InstallError(message.format(names=", ".join(broken)))

    def find_broken(self) -> list[str]:
        """Import every package in a child process.

        Returns:
            The names of the packages that do not load.
        """
        packages = {MODULES.get(item.name, item.name): item.name for item in self._requirements}
        problems = import_problems(list(packages), self._idle)
        for module, problem in problems.items():
            logging.error("CovidSeg: the Python package %s does not load: %s", packages[module], problem)
        self._broken = {packages[module] for module in problems}
        return sorted(self._broken)

    def _install_torch(self, requirement: Requirement) -> None:
        try:
            import PyTorchUtils
        except ImportError:
            raise InstallError(
                _(
                    'PyTorch is missing. Open View > Extensions Manager, install the extension "PyTorch", restart '
                    "Slicer and press the button again."
                )
            ) from None
        if requirement.name in self._broken and "torch" in sys.modules:
            raise InstallError(_("PyTorch is damaged and in use. Restart Slicer and press the button again."))
        logic = PyTorchUtils.PyTorchUtilsLogic()
        with _failure_explained([requirement.name]), torch_kept_out():
            if requirement.name in self._broken:
                logic.uninstallTorch()
            logic.installTorch(askConfirmation=False, torchVersionRequirement=str(requirement.specifier))

    def _install_with_pip(self, requirements: list[Requirement]) -> None:
        broken = [str(item) for item in requirements if item.name in self._broken]
        absent = [str(item) for item in requirements if item.name not in self._broken]
        with _failure_explained([item.name for item in requirements]):
            if broken:
                slicer.util.pip_install(["--force-reinstall", "--no-deps", *broken])
            if absent:
                try:
                    from slicer.packaging import pip_ensure
                except ImportError:  # Slicer 5.10
                    slicer.util.pip_install(absent)
                else:
                    pip_ensure(absent, prompt_install=False, requester="CovidSeg")


@contextlib.contextmanager
def _failure_explained(names: list[str]) -> Iterator[None]:
    """Turn any failure of pip into an InstallError that tells the user what to do, and log the details."""
    try:
        yield
    except Exception as error:
        logging.exception("CovidSeg: cannot install the Python packages")
        raise InstallError(_cannot_install(names)) from error


def _cannot_install(names: list[str]) -> str:
    return _(
        "These Python packages could not be installed: {names}. Check that this computer is connected to the internet "
        "and has 10 GB of free disk space, then press the button again. The log has the details."
    ).format(names=", ".join(names))
