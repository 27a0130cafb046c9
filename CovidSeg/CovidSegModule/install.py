"""The Python packages of the child process: missing ones are asked for, installed and then tried out.

Nothing is installed before the user agrees, nothing that Slicer brings is replaced, nothing is compiled, and torch is
never loaded into Slicer's process.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import slicer
from packaging.requirements import Requirement
from slicer.i18n import tr as _

from .worker import environment, kill_tree, python

REQUIREMENTS = Path(__file__).parents[1] / "Resources" / "requirements.txt"
#: Packages that come with Slicer or with another extension: pinned to what is there while others are installed.
KEPT = ("numpy", "scipy", "SimpleITK", "vtk", "requests", "pydicom", "pillow", "torch", "torchvision")
#: The module to import where it is not called like its package.
MODULES = {"scikit-image": "skimage"}
#: Seconds until packages that are tried out must have loaded; the first time can take long.
VERIFY_SECONDS = 300.0


class InstallError(Exception):
    """The packages are not there; the message says to the user why and what to do."""


class Installer(Protocol):
    """What the panel needs to know of the packages."""

    def missing(self) -> list[str]:
        """Names of the packages that must be installed; quick enough to be asked at each press of the button."""

    def install(self) -> None:
        """Install what is missing; raises InstallError."""

    def find_broken(self) -> list[str]:
        """Try the packages out; those that do not load count as missing from then on."""


def question(missing: list[str]) -> str:
    """What the user is asked before anything is installed."""
    return _(
        "CovidSeg needs these Python packages to segment: {names}.\n\n"
        "They are downloaded from the internet and installed into Slicer: about 400 MB, about 3 GB on a computer with "
        "an NVIDIA GPU. This is done once and takes some minutes. No image leaves this computer.\n\n"
        "Install them now?"
    ).format(names=", ".join(missing))


class SlicerInstaller:
    """Installs into Slicer's Python: torch through the PyTorch extension, the rest with pip.

    Args:
        idle: Called while waiting, so that the application stays alive.
        requirements: File with one requirement a line.
    """

    def __init__(self, idle: Callable[[], None] = lambda: None, requirements: Path = REQUIREMENTS):
        self._idle = idle
        lines = requirements.read_text(encoding="utf-8").splitlines()
        self._requirements = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
        self._broken: set[str] = set()

    def missing(self) -> list[str]:
        """Packages that are not installed, too old, or were found broken."""
        return [item.name for item in self._requirements if item.name in self._broken or not is_installed(item)]

    def install(self) -> None:
        """Install what is missing and try it out.

        Raises:
            InstallError: It did not work; the sentence says what the user can do.
        """
        missing = [item for item in self._requirements if item.name in self.missing()]
        torch = [item for item in missing if item.name == "torch"]
        others = [item for item in missing if item.name != "torch"]
        if torch:
            with pip_settings(replaced=("torch", "torchvision")):
                self._install_torch(torch[0])
        if others:
            with pip_settings():
                self._install_with_pip(others)
        importlib.invalidate_caches()
        broken = self.find_broken()
        if broken:
            sentence = _("These Python packages were installed but do not work: {names}. Restart Slicer and try again.")
            raise InstallError(sentence.format(names=", ".join(broken)))

    def _install_torch(self, requirement: Requirement) -> None:
        try:
            import PyTorchUtils
        except ImportError:
            raise InstallError(
                _(
                    "PyTorch is missing. Open View > Extensions Manager, install the extension “PyTorch”, restart "
                    "Slicer and press the button again."
                )
            ) from None
        if requirement.name in self._broken and "torch" in sys.modules:
            raise InstallError(_("PyTorch is damaged and in use. Restart Slicer and press the button again."))
        logic = PyTorchUtils.PyTorchUtilsLogic()
        with _words_for_failure(), torch_kept_out():
            if requirement.name in self._broken:
                logic.uninstallTorch()
            logic.installTorch(askConfirmation=False, torchVersionRequirement=str(requirement.specifier))

    def _install_with_pip(self, requirements: list[Requirement]) -> None:
        broken = [str(item) for item in requirements if item.name in self._broken]
        absent = [str(item) for item in requirements if item.name not in self._broken]
        with _words_for_failure():
            if broken:
                slicer.util.pip_install(["--force-reinstall", "--no-deps", *broken])
            if absent:
                try:
                    from slicer.packaging import pip_ensure
                except ImportError:  # Slicer 5.10
                    slicer.util.pip_install(absent)
                else:
                    pip_ensure(absent, prompt_install=False, requester="CovidSeg")

    def find_broken(self) -> list[str]:
        """Import every package in a child process.

        Returns:
            The names of those that do not load.
        """
        modules = {MODULES.get(item.name, item.name): item.name for item in self._requirements}
        problems = try_out(list(modules), self._idle)
        for module, problem in problems.items():
            logging.error("CovidSeg: the Python package %s does not load: %s", modules[module], problem)
        self._broken = {modules[module] for module in problems}
        return sorted(self._broken)


def is_installed(requirement: Requirement) -> bool:
    """True where the metadata of a package that fulfils a requirement is there; nothing is imported."""
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return requirement.specifier.contains(version, prereleases=True)


def try_out(modules: list[str], idle: Callable[[], None]) -> dict[str, str]:
    """Import modules in a child process.

    Args:
        modules: Names of modules.
        idle: Called while waiting.

    Returns:
        What is wrong, by module; empty where all is well.
    """
    with tempfile.TemporaryDirectory(prefix="CovidSeg-") as folder, tempfile.TemporaryFile() as output:
        command = [python(), str(Path(__file__).with_name("verify_packages.py")), *modules]
        options = {"creationflags": subprocess.CREATE_NO_WINDOW} if os.name == "nt" else {"start_new_session": True}
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.DEVNULL,
            env=environment(Path(folder)),
            **options,
        )
        end = time.monotonic() + VERIFY_SECONDS
        while process.poll() is None and time.monotonic() < end:
            idle()
            time.sleep(0.05)
        kill_tree(process)
        output.seek(0)
        answers = {}
        for line in output.read().decode("utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                answer = json.loads(line)
                answers[answer["module"]] = answer["error"]
    problems = {}
    for module in modules:
        if module not in answers:  # it brought the process down, or hung; what comes after it is not known
            problems[module] = f"the process ended with exit code {process.returncode}"
            break
        if answers[module] is not None:
            problems[module] = answers[module]
    return problems


@contextlib.contextmanager
def pip_settings(replaced: tuple[str, ...] = ()) -> Iterator[None]:
    """Within the block, pip in a child process takes wheels only and leaves `KEPT` but for `replaced` as they are."""
    with tempfile.TemporaryDirectory(prefix="CovidSeg-") as folder:
        constraints = Path(folder) / "constraints.txt"
        pins = []
        for name in set(KEPT).difference(replaced):
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                pins.append(f"{name}=={importlib.metadata.version(name)}\n")
        constraints.write_text("".join(pins), encoding="utf-8")
        # As a URL, because pip takes a space in this variable for the start of the next file's name.
        settings = {"PIP_ONLY_BINARY": ":all:", "PIP_CONSTRAINT": constraints.as_uri(), "PIP_NO_INPUT": "1"}
        before = {name: os.environ.get(name) for name in settings}
        os.environ.update(settings)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


@contextlib.contextmanager
def torch_kept_out() -> Iterator[None]:
    """PyTorchUtils imports torch when it has installed it; give it a placeholder so that it stays out of Slicer."""
    if "torch" in sys.modules:  # another extension has loaded it; nothing is left to keep out
        yield
        return
    placeholder = types.ModuleType("torch")
    placeholder.__version__ = "installed"
    sys.modules["torch"] = placeholder
    try:
        yield
    finally:
        if sys.modules.get("torch") is placeholder:
            del sys.modules["torch"]


@contextlib.contextmanager
def _words_for_failure() -> Iterator[None]:
    """Whatever pip's failure was, say what the user can do; the details are in the log."""
    try:
        yield
    except Exception as error:
        logging.exception("CovidSeg: installing failed")
        raise InstallError(
            _(
                "The Python packages could not be installed. Check that this computer is connected to the internet and "
                "has 10 GB of free disk space, then press the button again. The log has the details."
            )
        ) from error
