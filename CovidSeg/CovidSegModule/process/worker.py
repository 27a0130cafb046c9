"""Start a child process, read what it reports, and kill it, without ever blocking the application."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import weakref
from collections import deque
from pathlib import Path
from typing import IO, Any, Protocol

from .command import environment

#: One line of the child's output: a JSON object with the key "event".
Event = dict[str, Any]

#: Number of lines of the child's error output that are kept for the log.
ERROR_LINES = 200
#: Time in seconds to wait for a killed process to end.
KILL_SECONDS = 5.0


class Worker(Protocol):
    """The process that does the work, as seen by a run."""

    @property
    def exit_code(self) -> int | None:
        """Exit code of the process, or None while it runs."""

    @property
    def error_output(self) -> str:
        """The last lines of the error output."""

    def start(self, command: list[str], folder: Path) -> None:
        """Start a command in a folder. Its temporary files are written to the same folder."""

    def poll(self) -> list[Event]:
        """Return the events since the last call, without waiting."""

    def stop(self) -> None:
        """Kill the process and everything that it started. Do nothing if it has ended."""


class ChildProcess:
    """A `Worker` that is an operating system process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._errors: deque[str] = deque(maxlen=ERROR_LINES)
        self._readers: list[threading.Thread] = []

    def start(self, command: list[str], folder: Path) -> None:
        """Start a command in a folder, without a console window. Its temporary files are written to the same folder."""
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=environment(folder),
            **process_group_options(),
        )
        self._process = process
        # Kills the process also if nobody calls stop(): when this object is deleted and when the application quits.
        weakref.finalize(self, kill_tree, process)
        # The threads must not hold a reference to this object, or it would never be deleted while the process runs.
        self._readers = [
            threading.Thread(target=_read_events, args=(process.stdout, self._events), daemon=True),
            threading.Thread(target=_read_errors, args=(process.stderr, self._errors), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def exit_code(self) -> int | None:
        """Exit code, or None until the process has ended and all its output has been read."""
        if self._process is None or any(reader.is_alive() for reader in self._readers):
            return None
        return self._process.poll()

    @property
    def error_output(self) -> str:
        """The last lines of the error output."""
        return "".join(self._errors)

    def poll(self) -> list[Event]:
        """Return the events since the last call, without waiting."""
        events = []
        with contextlib.suppress(queue.Empty):
            while True:
                events.append(self._events.get_nowait())
        return events

    def stop(self) -> None:
        """Kill the process and everything that it started."""
        if self._process is not None:
            kill_tree(self._process)


def _read_events(stream: IO[bytes], events: queue.SimpleQueue[Event]) -> None:
    """Queue each line that is an event. Log all other lines, because a library may print anything."""
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
    """Keep the last lines. Read to the end, so that the child process never waits for a full pipe."""
    with stream:
        for line in stream:
            lines.append(line.decode("utf-8", errors="replace"))


def process_group_options() -> dict[str, Any]:
    """Return arguments for Popen that start a process which `kill_tree` can kill, without a console window."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and its descendants.

    PythonSlicer is a launcher. Killing only the launcher would leave Python running.
    """
    if process.poll() is None:
        if sys.platform == "win32":
            # By its full path, because Windows looks for programs in the working directory too.
            taskkill = Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "taskkill.exe"
            subprocess.run(
                [taskkill, "/F", "/T", "/PID", str(process.pid)],
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
