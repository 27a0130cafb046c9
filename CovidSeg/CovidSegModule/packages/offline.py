"""Install packages from a folder of wheels, without a network."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from packaging.requirements import Requirement

from ..process.command import environment, python_executable
from ..process.worker import kill_tree, process_group_options


def install_from_folder(
    requirements: list[Requirement], folder: Path, idle: Callable[[], None], reinstall: bool = False
) -> str:
    """Install packages with pip in a child process, from the wheels in a folder only.

    `pip download openvino scikit-image safetensors highdicom jinja2 fpdf2 uharfbuzz -d FOLDER`, on a computer with the
    same system and the same version of Python, fills such a folder.

    Args:
        requirements: What to install.
        folder: The folder.
        idle: Called repeatedly while waiting. If it raises an exception, pip is killed.
        reinstall: Install what is already installed again, because it is damaged.

    Returns:
        The error output of pip; empty if it succeeded.
    """
    options = ["--no-index", "--find-links", str(folder), "--only-binary", ":all:", "--no-input"]
    if reinstall:
        options.append("--force-reinstall")
    command = [python_executable(), "-m", "pip", "install", *options, *map(str, requirements)]
    with tempfile.TemporaryDirectory(prefix="CovidSeg-") as temporary, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=environment(Path(temporary)),
            **process_group_options(),
        )
        try:
            while process.poll() is None:
                idle()
                time.sleep(0.05)
        finally:
            kill_tree(process)
        errors.seek(0)
        output = errors.read().decode("utf-8", errors="replace")
        return "" if process.returncode == 0 else output or f"pip ended with exit code {process.returncode}"


def wheels_in(folder: Path) -> list[str]:
    """Return the names of the wheels in a folder."""
    return sorted(path.name for path in folder.glob("*.whl"))
