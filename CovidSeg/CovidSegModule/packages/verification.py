"""Check which packages are installed and whether they work, without importing them into Slicer's process."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from packaging.requirements import Requirement

from ..process.command import environment, python_executable
from ..process.worker import kill_tree, process_group_options

#: Time in seconds in which all packages must have been imported. The first import after installing can take long.
TIMEOUT_SECONDS = 300.0


def is_installed(requirement: Requirement) -> bool:
    """Return True if the metadata of a package shows a version that meets the requirement."""
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return requirement.specifier.contains(version, prereleases=True)


def import_problems(modules: list[str], idle: Callable[[], None]) -> dict[str, str]:
    """Import modules in a child process.

    Args:
        modules: Names of modules.
        idle: Called repeatedly while waiting, so that the application can process events.

    Returns:
        What is wrong, by the name of the module; empty if all modules work.
    """
    with tempfile.TemporaryDirectory(prefix="CovidSeg-") as folder, tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [python_executable(), str(Path(__file__).with_name("verify_packages.py")), *modules],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=environment(Path(folder)),
            **process_group_options(),
        )
        end = time.monotonic() + TIMEOUT_SECONDS
        while process.poll() is None and time.monotonic() < end:
            idle()
            time.sleep(0.05)
        kill_tree(process)
        output.seek(0)
        errors = _read_errors(output)
    problems = {}
    for module in modules:
        if module not in errors:  # The process crashed or timed out here. The modules after it were not tried.
            problems[module] = f"the process ended with exit code {process.returncode}"
            break
        error = errors[module]
        if error is not None:
            problems[module] = error
    return problems


def _read_errors(output: IO[bytes]) -> dict[str, str | None]:
    """Read the output of verify_packages.py: the error of each module that was tried, None for a module that works."""
    errors: dict[str, str | None] = {}
    for line in output.read().decode("utf-8", errors="replace").splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            answer = json.loads(line)
            errors[answer["module"]] = answer["error"]
    return errors
