"""The environment of a training run, for repeating it. No names of people or computers are recorded."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..programs import find_program
from ..storage.atomic import write_json_atomically
from ..versions import package_versions

FILE = "environment.json"
#: The repository, if the library runs from its sources.
REPOSITORY = Path(__file__).parents[2]


def describe(device: torch.device, processes: int, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything that the results may depend on.

    Args:
        device: Device that the network is trained on.
        processes: Number of processes that train together.
        arguments: Arguments of the command. Paths are shortened to their last component.
    """
    versions = package_versions()
    return {
        "covidseg": versions.pop("covidseg"),
        "commit": _commit(),
        "python": versions.pop("python"),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": versions,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        "threads": torch.get_num_threads(),
        "processes": processes,
        "arguments": {name: _without_folders(value) for name, value in arguments.items()},
    }


def record(run: Path, environment: Mapping[str, Any]) -> None:
    """Write environment.json. A resumed run appends its environment to the list "resumed" if it has changed.

    Raises:
        OSError: The file cannot be written.
    """
    path = run / FILE
    recorded = json.loads(path.read_text(encoding="utf-8")) if path.exists() else dict(environment)
    recorded.setdefault("resumed", [])
    earlier = [{key: value for key, value in recorded.items() if key != "resumed"}, *recorded["resumed"]]
    if environment != earlier[-1]:
        recorded["resumed"].append(environment)
    write_json_atomically(path, recorded)


def _commit() -> str | None:
    """Return the commit of the sources; None if they are installed, or git is missing or refuses access."""
    git = find_program("git")
    if git is None or not (REPOSITORY / ".git").exists():
        return None
    command = [git, "-C", str(REPOSITORY), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _without_folders(value: Any) -> Any:
    """Shorten paths to their last component, also in lists."""
    if isinstance(value, list | tuple):
        return [_without_folders(each) for each in value]
    if isinstance(value, Path) or (isinstance(value, str) and Path(value).is_absolute()):
        return Path(value).name
    return value
