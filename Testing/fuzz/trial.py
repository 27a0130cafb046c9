"""Read one input in a child process with limits, and judge what happened."""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import select
import shutil
import signal
import string
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from fuzz.reference import CannotRead, difference, read_reference

from CovidSegLib.checks import check_volume
from CovidSegLib.errors import InputError
from CovidSegLib.reading import read_volume
from CovidSegLib.volume import Volume

SECONDS, MEMORY = 20.0, 4 << 30
LONGEST_MESSAGE = 1500


@dataclass(frozen=True)
class Outcome:
    """What happened to an input.

    Attributes:
        kind: "refused" (with a sentence), "agrees" (read, and the independent reader reads the same voxels), "not
            compared" (read, but the independent reader lacks a decoder), or a finding: "crash", "hang", "memory",
            "traceback", "output" (something on standard error), "message" (not a sentence), "differs", or "only read
            here" (the independent reader refuses the input).
        detail: The message, traceback or difference.
        seconds: Time for reading.
        memory_mb: Peak memory of the process.
    """

    kind: str
    detail: str = ""
    seconds: float = 0.0
    memory_mb: int = 0

    @property
    def is_finding(self) -> bool:
        return self.kind not in ("refused", "agrees", "not compared")


def try_input(write: Callable[[Path], Path]) -> Outcome:
    """Write an input into a temporary folder, and read it in a forked child.

    The process that calls this must not have used ITK's filters before: their threads do not survive a fork.

    Args:
        write: Writes the input into a folder, and returns the path to read.
    """
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        try:
            path = write(Path(folder, "in"))
        except (OSError, ValueError):  # a name that this file system does not accept
            return Outcome("refused", "cannot be written")
        return _run(path, Path(folder))


def _run(path: Path, folder: Path) -> Outcome:
    reading, writing = os.pipe()
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(path, folder, writing)
    os.close(writing)
    chunks: list[bytes] = []
    first_end = start + SECONDS
    status, hung, first_seconds = None, False, 0.0
    while True:
        ready, _, _ = select.select([reading], [], [], max(0.0, first_end - time.monotonic()))
        if not ready:
            hung = True
            os.kill(child, signal.SIGKILL)
            break
        chunk = os.read(reading, 1 << 16)
        if not chunk:
            break
        if not chunks:
            first_seconds = time.monotonic() - start
            first_end = time.monotonic() + 3 * SECONDS  # the time of the independent reader does not count
        chunks.append(chunk)
    os.close(reading)
    _, status, usage = os.wait4(child, 0)
    lines = [json.loads(line) for line in b"".join(chunks).splitlines()]
    memory = usage.ru_maxrss // 1024
    if not lines:
        shown = (folder / "output").read_text("utf-8", "replace")[-1500:] if (folder / "output").exists() else ""
        kind = "hang" if hung else "crash"
        return Outcome(kind, f"status {status}\n{shown}", time.monotonic() - start, memory)
    verdict = (
        lines[-1]
        if len(lines) > 1 or lines[0]["kind"] != "read"
        else {"kind": "not compared", "detail": "the reference died"}
    )
    return Outcome(verdict["kind"], verdict["detail"], first_seconds, memory)


def _child(path: Path, folder: Path, pipe: int) -> None:
    """Read, judge and exit. Two lines are written if the input was read: that it was, and what the reference says."""

    def report(kind: str, detail: str = "") -> None:
        os.write(pipe, (json.dumps({"kind": kind, "detail": detail}) + "\n").encode())

    output = os.open(folder / "output", os.O_RDWR | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    baseline = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (baseline + MEMORY, baseline + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    tempfile.tempdir = os.fspath(folder / "temporary")
    Path(tempfile.tempdir).mkdir()
    faulthandler.disable()
    code = 0
    try:
        volume = _read(path, report)
        sys.stderr.flush()
        printed = Path(folder, "output").read_text("utf-8", "replace").strip()
        left = [item.name for item in Path(tempfile.tempdir).iterdir()]
        if printed:
            report("output", printed[:1500])
        elif left:
            report("output", f"temporary files are left: {left}")
        elif volume is not None:
            report("read")
            resource.setrlimit(resource.RLIMIT_AS, (baseline + MEMORY, baseline + MEMORY))
            _compare(path, volume, report)
    except BaseException:
        report("traceback", "in the fuzzer\n" + traceback.format_exc()[-1500:])
        code = 1
    finally:
        os._exit(code)


def _read(path: Path, report: Callable[..., None]) -> Volume | None:
    """Read as the command line does. Report anything but a volume."""
    try:
        volume = read_volume(path)
    except InputError as error:
        message = str(error)
        for name in {path.name, *(item.name for item in path.parent.rglob("*"))}:
            message = message.replace(f'"{name}"', '"NAME"')  # the command line escapes names
        if "not enough memory" in message:
            report("memory", message)
        elif not _is_sentence(message):
            report("message", message[:3000])
        else:
            report("refused", message)
        return None
    except MemoryError:
        report("memory", traceback.format_exc()[-1500:])
        return None
    except Exception:
        report("traceback", traceback.format_exc()[-2500:])
        return None
    try:
        check_volume(volume)
    except InputError as error:
        if not _is_sentence(str(error)):
            report("message", str(error)[:3000])
            return None
    except Exception:
        report("traceback", traceback.format_exc()[-2500:])
        return None
    return volume


def _is_sentence(message: str) -> bool:
    """Whether a message is short, printable and a sentence, to which a list of series may be added."""
    first = message.split("\n")[0]
    return (
        len(message) < LONGEST_MESSAGE
        and all(character.isprintable() or character == "\n" for character in message)
        and first[:1] in ('"', *string.digits, *string.ascii_uppercase)
        and first.endswith((".", ":"))
    )


def _compare(path: Path, volume: Volume, report: Callable[..., None]) -> None:
    try:
        reference = read_reference(path, volume)
    except CannotRead as error:
        lacks_decoder = any(word in str(error) for word in ("plugin", "decoder", "gzip members"))
        report("not compared" if lacks_decoder else "only read here", str(error))
        return
    except MemoryError:
        report("not compared", "the reference needs more memory")
        return
    found = difference(volume, reference)
    report("differs" if found else "agrees", found)


def store(folder: Path, name: str, write: Callable[[Path], Path], outcome: Outcome, history: dict) -> None:
    """Store the files of a finding and how they were made."""
    place = folder / name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    target = write(place / "input")
    history = {**history, "target": os.fsencode(target.relative_to(place)).decode("utf-8", "backslashreplace")}
    (place / "finding.json").write_text(
        json.dumps({**history, **asdict(outcome)}, indent=1, default=str) + "\n", encoding="utf-8"
    )
