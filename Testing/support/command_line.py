"""Run the command `covidseg` as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import CovidSegLib

LIBRARY = Path(CovidSegLib.__file__).parents[1]
#: Seconds after which a run counts as hanging.
TIMEOUT = 300


def start(*arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    """Start `covidseg` with arguments; `options` are passed to Popen."""
    command = [sys.executable, "-m", "CovidSegLib", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(LIBRARY), **options.pop("env", {})}
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=environment, **{**pipes, **options})


def events(output: bytes | str) -> list[dict[str, Any]]:
    """Parse the output of `--progress json`, in which every line must be an event."""
    parsed = [json.loads(line) for line in output.splitlines()]
    assert all(isinstance(event, dict) and "event" in event for event in parsed)
    return parsed
