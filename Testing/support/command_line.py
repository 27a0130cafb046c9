"""The command `covidseg`, run as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import CovidSegLib

LIBRARY = Path(CovidSegLib.__file__).parents[1]
#: Seconds after which a run hangs.
TIMEOUT = 300


def start(*arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    """Start `covidseg` with these arguments; `options` are those of Popen."""
    command = [sys.executable, "-m", "CovidSegLib", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(LIBRARY), **options.pop("env", {})}
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=environment, **{**pipes, **options})


def events(output: bytes | str) -> list[dict[str, Any]]:
    """What was said with `--progress json`; every line must be a JSON object."""
    found = [json.loads(line) for line in output.splitlines()]
    assert all(isinstance(event, dict) and "event" in event for event in found)
    return found
