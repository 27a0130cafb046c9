"""Segment every CT that a node receives, and send the results to the archive. The state is on disk.

    receiving/SERIES/*.dcm   images as they arrive
    jobs/SERIES/ct/*.dcm     a complete series
    jobs/SERIES/new-*/       the result while it is computed
    jobs/SERIES/done/        the finished result
    outbox/SERIES/*.dcm      objects that are to be sent
    failed/SERIES/           a series that cannot be segmented, with reason.txt

Every step ends with one renaming. After a crash, the next start resumes there: each step is either done or repeated.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import InputError
from ..storage.disk_errors import explain_disk_errors
from .destination import Destination
from .node import ReceivingNode
from .outbox import Outbox

#: Attempts to segment a CT if the process crashes, for example because memory runs out.
ATTEMPTS = 3
#: Exit code of `covidseg` for input that cannot be used; trying again would not help.
UNUSABLE = 2
REASON, TRIES = "reason.txt", "attempts"
LONGEST_REASON = 2000

#: Segments the CT in a folder into another folder with a subfolder `dicom`. Returns exit code and error output.
Segment = Callable[[Path, Path], tuple[int, str]]


class Service:
    """Takes complete series from a node, segments them, and sends the results.

    Args:
        folder: The queue.
        node: Receives images into `folder / "receiving"`.
        destination: Where results go.
        segment: Segments a CT.
        quiet: Seconds without a new image after which a series is complete.
        log: Receives sentences about what happens, without names of patients.
    """

    def __init__(
        self,
        folder: Path,
        node: ReceivingNode,
        destination: Destination,
        segment: Segment,
        *,
        quiet: float = 30.0,
        log: Callable[[str], None] = lambda sentence: None,
    ):
        self.folder, self.node, self.destination = folder, node, destination
        self._segment, self._quiet, self._log = segment, quiet, log
        self.jobs, self.failed = folder / "jobs", folder / "failed"
        self.outbox = Outbox(folder / "outbox")
        self._reported: set[Path] = set()

    def waiting(self) -> tuple[int, int]:
        """Return how many series wait for their segmentation, and how many results to be sent."""
        receiving = [path for path in _folders(self.node.folder) if any(path.glob("*.dcm"))]
        return len(receiving) + len(_folders(self.jobs)), len(_folders(self.outbox.folder))

    def step(self) -> None:
        """Do what can be done now: take complete series, segment one of them, and send what is due.

        Raises:
            InputError: The queue cannot be written.
        """
        with explain_disk_errors(self.folder, only_known=True, remedy="Check the folder of the queue."):
            self._take_series()
            self._segment_one()
            self._send()

    def _take_series(self) -> None:
        for folder in self.node.complete_series(self._quiet):
            job = self.jobs / folder.name
            # Images that arrive late belong to a result that must be computed again.
            shutil.rmtree(job / "done", ignore_errors=True)
            self.node.take(folder, job / "ct")
            count = len(list((job / "ct").glob("*.dcm")))
            self._log(f"Series {folder.name[:8]}: {count} images received.")

    def _segment_one(self) -> None:
        for job in _folders(self.jobs):
            if (job / "done").exists():
                self._hand_over(job)
            elif (job / "ct").exists():
                self._compute(job)
                return
            else:  # what a killed process has left behind
                _remove(job)

    def _compute(self, job: Path) -> None:
        tries = _read_number(job / TRIES) + 1
        (job / TRIES).write_text(str(tries), encoding="ascii")
        for earlier in job.glob("new-*"):
            shutil.rmtree(earlier, ignore_errors=True)
        # A name of its own: the process of a service that was killed may still write to the earlier one.
        new = job / f"new-{uuid.uuid4().hex[:8]}"
        started = time.monotonic()
        code, errors = self._segment(job / "ct", new)
        name = f"Series {job.name[:8]}"
        if code == 0 and (new / "dicom").is_dir():
            new.rename(job / "done")
            self._log(f"{name}: segmented in {time.monotonic() - started:.0f} s.")
            self._hand_over(job)
        elif code == UNUSABLE or tries >= ATTEMPTS:
            reason = errors.strip()[-LONGEST_REASON:] or f"The segmentation ended with exit code {code}."
            self._fail(job, reason)
            self._log(f'{name}: not segmented, kept in "{self.failed.name}". {reason.splitlines()[0]}')
        else:
            self._log(f"{name}: the segmentation ended with exit code {code}; it is tried again.")

    def _hand_over(self, job: Path) -> None:
        """Move the objects of a finished job to the outbox, and remove the rest."""
        objects = job / "done" / "dicom"
        if objects.is_dir():
            self.outbox.adopt(objects, self.destination, f"{job.name}-{time.time_ns()}")
        _remove(job)

    def _fail(self, job: Path, reason: str) -> None:
        (job / REASON).write_text(reason + "\n", encoding="utf-8", errors="backslashreplace")
        self.failed.mkdir(exist_ok=True, mode=0o700)
        target = self.failed / job.name
        if target.exists():
            target = self.failed / f"{job.name}-{time.time_ns()}"
        job.rename(target)

    def _send(self) -> None:
        for entry in self.outbox.entries():
            if entry.due > time.time():
                continue
            try:
                count = self.outbox.deliver(entry)
                self._log(f"Series {entry.folder.name[:8]}: {count} objects sent.")
            except InputError as error:
                self._log(f"Series {entry.folder.name[:8]}: not sent, it is tried again. {error}")
        for folder in self.outbox.damaged():
            if folder not in self._reported:
                self._reported.add(folder)
                self._log(f'Series {folder.name[:8]}: not sent, because its entry in "outbox" is damaged. Check it.')


@contextmanager
def prepared_queue(folder: Path) -> Iterator[None]:
    """Create a queue, readable by this user only, and keep other processes out of it.

    Raises:
        InputError: It cannot be written, or another process uses it.
    """
    with explain_disk_errors(folder, only_known=True):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with Outbox(folder).locked():
            yield


def child_segmenter(options: Sequence[str]) -> Segment:
    """Return what segments a CT in a process of its own, which may crash without harm to the service.

    Args:
        options: Further options of `covidseg segment`.
    """

    def segment(ct: Path, out: Path) -> tuple[int, str]:
        command = [sys.executable, "-P", "-m", "CovidSegLib", "segment", str(ct), "-o", str(out), "--dicom", *options]
        # Imported from where this process has imported it, not from the working directory.
        environment = {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
        process = subprocess.Popen(
            [*command, "--progress", "json"],  # it ends when nobody reads its events any more
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        try:
            events, errors = process.communicate()
        except BaseException:
            process.kill()
            process.wait()
            raise
        return process.returncode, _message(events) or errors.decode("utf-8", "replace")

    return segment


def _message(events: bytes) -> str:
    """Return the message of the last event, if it is an error."""
    lines = events.decode("utf-8", "replace").splitlines()
    try:
        event = json.loads(lines[-1]) if lines else {}
    except ValueError:
        return ""
    return str(event.get("message", "")) if isinstance(event, dict) and event.get("event") == "error" else ""


def _remove(job: Path) -> None:
    """Remove a job that is done. It is renamed first, so that half a job never looks like one."""
    trash = job.with_name(f".removed-{job.name}")
    shutil.rmtree(trash, ignore_errors=True)
    with suppress(FileNotFoundError):
        job.rename(trash)
    shutil.rmtree(trash, ignore_errors=True)


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _read_number(path: Path) -> int:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
