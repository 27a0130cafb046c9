"""What a training ran on and how it was started, for whoever wants to repeat it; no names of people or computers."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..storage.atomic import write_json_atomically
from ..versions import package_versions

FILE = "environment.json"
#: The sources, where they lie in a repository of their own.
REPOSITORY = Path(__file__).parents[2]


def describe(device: torch.device, processes: int, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What the numbers may depend on.

    Args:
        device: Where the network is trained.
        processes: How many train together.
        arguments: Of the command; of paths the last name alone is kept.
    """
    found = package_versions()
    return {
        "covidseg": found.pop("covidseg"),
        "commit": _commit(),
        "python": found.pop("python"),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": found,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        "threads": torch.get_num_threads(),
        "processes": processes,
        "arguments": {name: _plain(value) for name, value in arguments.items()},
    }


def note(run: Path, environment: Mapping[str, Any]) -> None:
    """Write environment.json; where there is one, what has changed since comes into its list "resumed".

    Raises:
        OSError: The file cannot be written.
    """
    path = run / FILE
    held = json.loads(path.read_text(encoding="utf-8")) if path.exists() else dict(environment)
    held.setdefault("resumed", [])
    earlier = [{key: value for key, value in held.items() if key != "resumed"}, *held["resumed"]]
    if environment != earlier[-1]:
        held["resumed"].append(environment)
    write_json_atomically(path, held)


def _commit() -> str | None:
    """Of the sources; None where they are installed, or git is not there or not allowed to look."""
    if not (REPOSITORY / ".git").exists():
        return None
    command = ["git", "-C", str(REPOSITORY), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Path) or (isinstance(value, str) and Path(value).is_absolute()):
        return Path(value).name
    return value
