"""Install the Python packages of the child process: torch through the PyTorch extension, the others with pip.

Without a graphics card that PyTorch can use, the networks run in OpenVINO, and torch is not installed.
"""

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

from .diagnosis import network_problem
from .offline import install_from_folder, wheels_in
from .plan import has_nvidia_driver, make_plan
from .protection import pip_settings, torch_kept_out
from .verification import import_problems, is_installed

RESOURCES = Path(__file__).parents[2] / "Resources"
#: What is always needed, and what is needed in addition where PyTorch is.
REQUIREMENTS, TORCH_REQUIREMENTS = RESOURCES / "requirements.txt", RESOURCES / "requirements_torch.txt"
#: Names of modules that differ from the names of their packages.
MODULES = {"scikit-image": "skimage", "fpdf2": "fpdf"}


class InstallError(Exception):
    """The packages could not be installed. The message tells the user why, and what to do."""


class Installer(Protocol):
    """The Python packages, as seen by the panel."""

    def missing(self) -> list[str]:
        """Return the names of the packages that must be installed. Fast enough to call at every press of a button."""

    def install(self) -> None:
        """Install the missing packages. Raise InstallError if that fails."""

    def install_from_folder(self, folder: Path) -> None:
        """Install the missing packages from a folder of wheels. Raise InstallError if that fails."""

    def cancel(self) -> None:
        """Stop an installation as soon as possible. It raises InstallError."""

    def find_broken(self) -> list[str]:
        """Try out all packages. Those that do not load count as missing from then on."""

    def broken(self) -> list[str]:
        """Return the packages that were found not to load."""


def read_requirements(file: Path) -> list[Requirement]:
    """Read a file with one requirement per line."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]


def question(missing: list[str]) -> str:
    """Return the question to ask before anything is installed."""
    return make_plan(missing).question()


class SlicerInstaller:
    """An `Installer` for Slicer's own Python.

    Args:
        idle: Called repeatedly while waiting, so that the application can process events.
        needs_torch: Returns whether PyTorch is needed: there is a graphics card that it can use, or a model that runs
            in nothing else.
    """

    def __init__(self, idle: Callable[[], None] = lambda: None, needs_torch: Callable[[], bool] = has_nvidia_driver):
        self._application_idle = idle
        self._needs_torch = needs_torch
        self._cancelled = False
        self._always, self._with_torch = read_requirements(REQUIREMENTS), read_requirements(TORCH_REQUIREMENTS)
        self._broken: set[str] = set()

    @property
    def _requirements(self) -> list[Requirement]:
        """What this computer needs now."""
        return [*self._always, *(self._with_torch if self._needs_torch() else ())]

    def missing(self) -> list[str]:
        """Return the names of packages that are not installed, too old or broken."""
        return [item.name for item in self._requirements if item.name in self._broken or not is_installed(item)]

    def install(self) -> None:
        """Install the missing packages and try them out.

        Raises:
            InstallError: A package could not be installed or does not work.
        """
        self._cancelled = False
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
            self._idle()
        if others:
            with pip_settings():
                self._install_with_pip(others)
        self._verify(missing)

    def install_from_folder(self, folder: Path) -> None:
        """Install the missing packages from a folder of wheels, and try them out.

        Args:
            folder: A folder with `.whl` files of all packages and of those that they need.

        Raises:
            InstallError: A package could not be installed or does not work.
        """
        self._cancelled = False
        names = self.missing()
        missing = [item for item in self._requirements if item.name in names]
        if not wheels_in(folder):
            raise InstallError(
                _('There are no Python packages (.whl files) in "{folder}". Choose another folder.').format(
                    folder=folder
                )
            )
        with pip_settings(replaceable=("torch", "torchvision") if "torch" in names else ()):
            problem = install_from_folder(missing, folder, self._idle, reinstall=bool(self._broken))
        if problem:
            logging.warning("CovidSeg: cannot install from %s: %s", folder, problem)
            raise InstallError(
                _(
                    "The folder does not hold everything that is needed for this computer. Fill it on a computer with "
                    "the same system and Python {version}: pip download {names} -d FOLDER."
                ).format(version="{}.{}".format(*sys.version_info), names=" ".join(names))
            )
        self._verify(missing)

    def cancel(self) -> None:
        """Stop an installation: at once while packages are tried out or come from a folder, else after this step."""
        self._cancelled = True

    def broken(self) -> list[str]:
        """Return the packages that were found not to load."""
        return sorted(self._broken)

    def _idle(self) -> None:
        self._application_idle()
        if self._cancelled:
            raise InstallError(_("Cancelled. What was installed so far stays; press the button again to go on."))

    def _verify(self, requirements: list[Requirement]) -> None:
        """Raise InstallError if a package is still not installed, or does not work."""
        importlib.invalidate_caches()
        # pip and light-the-torch may succeed without installing anything, so ask again.
        absent = [item.name for item in requirements if not is_installed(item)]
        if absent:
            logging.warning("CovidSeg: not installed: %s", ", ".join(absent))
            raise InstallError(_cannot_install(absent))
        broken = self.find_broken()
        if broken:
            message = _(
                "These Python packages were installed but do not work: {names}. Press Repair. If that does not help, "
                "restart Slicer and press Repair again."
            )
            raise InstallError(message.format(names=", ".join(broken)))

    def find_broken(self) -> list[str]:
        """Import every package in a child process.

        Returns:
            The names of the packages that do not load.
        """
        needed = self._requirements
        packages = {MODULES.get(item.name, item.name): item.name for item in needed}
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
    except InstallError:
        raise
    except Exception as error:
        logging.warning("CovidSeg: cannot install the Python packages", exc_info=True)
        raise InstallError(_cannot_install(names)) from error


def _cannot_install(names: list[str]) -> str:
    message = _("These Python packages could not be installed: {names}.").format(names=", ".join(names))
    reason = network_problem() or _("Press the button again. If it fails again, report it with the application's log.")
    return f"{message} {reason}"
