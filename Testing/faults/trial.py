"""A command that is disturbed while it runs, and the faults that strike it."""

from __future__ import annotations

import os
import resource
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from faults.jobs import HALFWAY
from faults.server import Network

ROOT = Path(__file__).resolve().parents[2]
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
FILLER = ".filler"
TIMEOUT = 600
#: Memory that a process may still allocate when its memory runs out.
LITTLE_MEMORY = 16 << 20
DONE, FAILED, UNUSABLE, CANCELLED = 0, 1, 2, 3


@dataclass
class Trial:
    """One disturbed run.

    Attributes:
        process: The command.
        out: Its folder for results.
        clock: The file that sets its clock.
        network: Its connection to the server of models.
        output: What it has printed.
    """

    process: subprocess.Popen[bytes]
    out: Path
    clock: Path
    network: Network = field(default_factory=Network)
    output: list[bytes] = field(default_factory=list)


def kill(trial: Trial) -> None:
    trial.process.kill()


def terminate(trial: Trial) -> None:
    trial.process.terminate()


def fill_disk(trial: Trial) -> None:
    with (trial.out / FILLER).open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


def make_read_only(trial: Trial) -> None:
    """Files that are open for writing keep a disk writable, so this tries again until they are closed."""
    while trial.process.poll() is None:
        if subprocess.run(["mount", "-o", "remount,ro", trial.out], capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.005)


def take_memory(trial: Trial) -> None:
    try:
        pages = int(Path(f"/proc/{trial.process.pid}/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + LITTLE_MEMORY
        resource.prlimit(trial.process.pid, resource.RLIMIT_AS, (limit, limit))
    except (OSError, ProcessLookupError, IndexError):  # it has just ended
        return


def set_clock_back(trial: Trial) -> None:
    trial.clock.write_text("-30d\n")


def lose_network(trial: Trial) -> None:
    trial.network.is_lost = True


@dataclass(frozen=True)
class Fault:
    """A fault, and the exit codes that may follow. A run that ended before it struck has the code 0."""

    strike: Callable[[Trial], None]
    codes: tuple[int, ...]


FAULTS = {
    "kill -9": Fault(kill, (-9,)),
    "SIGTERM": Fault(terminate, (CANCELLED, 128 + 15, -15)),
    "full disk": Fault(fill_disk, (UNUSABLE,)),
    "read-only disk": Fault(make_read_only, (UNUSABLE,)),
    "memory limit": Fault(take_memory, (UNUSABLE, -9)),
    "network lost": Fault(lose_network, (UNUSABLE,)),
    "clock set back": Fault(set_clock_back, ()),
}
NEED_MOUNT = ("full disk", "read-only disk")


def start(command: list[str], out: Path, clock: Path, network: Network) -> Trial:
    """Start a command whose clock can be set back, and whose own models are in `out`."""
    clock.write_text("+0\n")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "COVIDSEG_MODELS": str(out / "models"),
    }
    if FAKETIME.exists():
        environment |= {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return Trial(process, out, clock, network)


def run_until(trial: Trial, stage: str | float, strike: Callable[[Trial], None] | None) -> int:
    """Wait until a command has printed a stage, or for a time, then let the fault strike. Return the exit code."""
    timer: threading.Timer | None = None
    if isinstance(stage, float) and strike:
        timer = threading.Timer(stage, strike, (trial,))
        timer.start()
        strike = None
    if stage == HALFWAY and strike:
        trial.network.stop_halfway()
        threading.Thread(target=strike_halfway, args=(trial, strike), daemon=True).start()
        strike = None
    assert trial.process.stdout
    for line in trial.process.stdout:
        trial.output.append(line)
        if strike and isinstance(stage, str) and stage.encode() in line:
            strike(trial)
            strike = None
    code = trial.process.wait(TIMEOUT)
    if timer:
        timer.cancel()
    return code


def strike_halfway(trial: Trial, strike: Callable[[Trial], None]) -> None:
    """Let a fault strike when half of a file has come over the network, and let the other half come."""
    if trial.network.halfway.wait(TIMEOUT):
        strike(trial)
        trial.network.going_on.set()
