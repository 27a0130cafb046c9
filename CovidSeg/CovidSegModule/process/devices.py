"""Ask a child process for the devices that can compute, because torch must not be loaded into Slicer."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .command import environment, python_executable
from .worker import process_group_options

#: Time in seconds after which the question is given up. Loading torch for the first time takes long.
TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True)
class Device:
    """A device.

    Attributes:
        device: "cuda:0", "cpu".
        name: Name for display.
        free_mb: Free memory of a GPU.
    """

    device: str
    name: str
    free_mb: int | None = None

    @property
    def is_gpu(self) -> bool:
        """Return True for a GPU."""
        return self.device != "cpu"


def list_devices(program: list[str] | None = None) -> list[Device]:
    """Return the devices, the one that "auto" chooses first. Takes seconds: run it in a thread.

    Args:
        program: The program to ask; by default CovidSegLib in Slicer's Python.

    Raises:
        OSError, ValueError, subprocess.SubprocessError: The program failed, for example because torch is damaged.
    """
    command = [*(program or [python_executable(), "-m", "CovidSegLib"]), "devices", "--json"]
    with tempfile.TemporaryDirectory(prefix="CovidSeg-") as folder:
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=True,
            env=environment(Path(folder)),
            **process_group_options(),
        ).stdout
    return [Device(item["device"], item["name"], item["free_mb"]) for item in json.loads(answer)]
