"""The child process that segments: started, listened to and killed without ever blocking the application.

torch must not be loaded into Slicer's own process (it crashes there), so the work is done by `python -m CovidSegLib`,
which reports as one JSON object a line. `Worker` is all that the rest of the module knows of it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import weakref
from collections import deque
from pathlib import Path
from typing import IO, Any, Protocol

import slicer

import CovidSegLib

#: One line that the child wrote, as the dictionary that it was.
Event = dict[str, Any]

#: So many of the last lines of the child's error output are kept for the log.
ERROR_LINES = 200
#: Seconds to wait for a killed process to be gone.
KILL_SECONDS = 5.0


class Worker(Protocol):
    """What a run needs of the process that does the work."""

    @property
    def exit_code(self) -> int | None:
        """None while it runs, then its exit code."""

    @property
    def error_output(self) -> str:
        """The end of what it wrote to its error output."""

    def start(self, command: list[str], folder: Path) -> None:
        """Start a command in a folder, where its temporary files go too."""

    def poll(self) -> list[Event]:
        """What it has reported since the last call; returns at once."""

    def stop(self) -> None:
        """Kill it with everything that it started; does nothing where it has ended."""


class ChildProcess:
    """A `Worker` that is a process of its own."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._errors: deque[str] = deque(maxlen=ERROR_LINES)
        self._readers: list[threading.Thread] = []

    def start(self, command: list[str], folder: Path) -> None:
        """Start a command in a folder, where its temporary files go too; without a console window."""
        options: dict[str, Any] = {"start_new_session": True}  # a process group of its own, to be killed as a whole
        if os.name == "nt":
            options = {"creationflags": subprocess.CREATE_NO_WINDOW}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=environment(folder),
            **options,
        )
        # Also where nobody calls stop(): when this object goes away, and when the application quits.
        weakref.finalize(self, kill_tree, self._process)
        # The threads must not hold this object, or it would never go away while the child runs.
        for target, stream, sink in (
            (_read_events, self._process.stdout, self._events),
            (_read_errors, self._process.stderr, self._errors),
        ):
            reader = threading.Thread(target=target, args=(stream, sink), daemon=True)
            reader.start()
            self._readers.append(reader)

    @property
    def exit_code(self) -> int | None:
        """None until the child has ended and everything that it wrote has arrived."""
        if self._process is None or any(reader.is_alive() for reader in self._readers):
            return None
        return self._process.poll()

    @property
    def error_output(self) -> str:
        """The last lines of the child's error output."""
        return "".join(self._errors)

    def poll(self) -> list[Event]:
        """What the child has reported since the last call."""
        events = []
        with contextlib.suppress(queue.Empty):
            while True:
                events.append(self._events.get_nowait())
        return events

    def stop(self) -> None:
        """Kill the child and all that it started."""
        if self._process is not None:
            kill_tree(self._process)


def _read_events(stream: IO[bytes], events: queue.SimpleQueue[Event]) -> None:
    """Hand on each line that is a JSON object; a library may print anything else, which is logged."""
    with stream:
        for line in stream:
            text = line.decode("utf-8", errors="replace").strip()
            try:
                event = json.loads(text)
            except ValueError:
                event = None
            if isinstance(event, dict) and "event" in event:
                events.put(event)
            elif text:
                logging.info("CovidSeg child process: %s", text)


def _read_errors(stream: IO[bytes], lines: deque[str]) -> None:
    """Keep the last lines; the stream is read to its end so that the child never waits for us."""
    with stream:
        for line in stream:
            lines.append(line.decode("utf-8", errors="replace"))


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with its descendants. PythonSlicer is a launcher: killing it alone would leave Python running."""
    if process.poll() is None:
        if os.name == "nt":
            subprocess.run(
                ["taskkill", "/F", "/T", "/PID", str(process.pid)],
                capture_output=True,
                check=False,
                creationflags=subprocess.CREATE_NO_WINDOW,
            )
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
    try:
        process.wait(KILL_SECONDS)
    except subprocess.TimeoutExpired:
        logging.error("CovidSeg: process %d does not end", process.pid)


def environment(folder: Path) -> dict[str, str]:
    """The child's environment: it finds CovidSegLib, writes UTF-8 and leaves nothing outside `folder`."""
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONSTARTUP", "PYTHONINSPECT")}
    library = str(Path(CovidSegLib.__file__).parents[1])
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, (library, variables.get("PYTHONPATH"))))
    variables.update(PYTHONUTF8="1", PYTHONUNBUFFERED="1", PYTHONNOUSERSITE="1")
    variables.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder)))
    return variables


def python() -> str:
    """Slicer's own Python interpreter, or the one that runs this where there is no Slicer."""
    name = "PythonSlicer.exe" if os.name == "nt" else "PythonSlicer"
    home = getattr(getattr(slicer, "app", None), "slicerHome", "")
    places = [Path(sys.executable).parent, Path(home) / "bin"] if home else [Path(sys.executable).parent]
    beside = (str(place / name) for place in places if (place / name).is_file())
    return shutil.which("PythonSlicer") or next(beside, sys.executable)


def segment_command(program: list[str], ct: str, output: str, model: str, device: str) -> list[str]:
    """The command that segments a CT into a folder.

    The paths are relative to the folder in which it is started, and so ASCII whatever the name of the user: on Windows
    not every library opens other paths.

    Args:
        program: The interpreter and what it runs, in the application `[python(), "-m", "CovidSegLib"]`.
        ct: File of the CT.
        output: Folder for the results.
        model: Name of an installed model, empty for the default.
        device: "auto", "cuda" or "cpu".
    """
    command = [*program, "segment", ct, "--output", output, "--progress", "json", "--device", device]
    if model:
        command += ["--model", model]
    # Slicer makes the surfaces itself, and shows slices better than a picture does.
    return [*command, "--skip", "surfaces", "--skip", "overview"]
