"""Disturb commands while they run, and check that nothing is lost, nothing partial is left and the next run works.

    python Testing/faults/run.py [--jobs NAME ...] [--faults NAME ...] [--record RECORD.json]

Each trial runs a command until it reports a stage, and then kills or terminates it, fills its disk, makes it read-only,
takes its memory, breaks its network connection, or sets its clock back. Disks are small tmpfs mounts: run it as root on
Linux. The clock needs libfaketime. Exit code 1: a trial failed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from faults.jobs import ADDRESS, HALFWAY, JOBS, MODEL, NOTES, NOTES_TEXT, Job, prepare
from faults.record import PANEL, Results, table, update
from faults.server import Network, served
from faults.trial import DONE, FAILED, FAULTS, FILLER, NEED_MOUNT, ROOT, Trial, run_until, start

DYING = ROOT / "Testing" / "support" / "dying.py"
DISK = "200m"
#: What a command prints when its memory runs out. OpenBLAS ends the process by itself.
OUT_OF_MEMORY = ("not enough memory", "Memory allocation still failed")
#: Moments of writing a file at which the process kills itself (support/dying.py), and how many files are tried.
MOMENTS = ("half", "written", "renamed")


def can_mount() -> bool:
    """Whether this process may mount file systems."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False)
        return done.returncode == 0 and subprocess.run(["umount", folder], check=False).returncode == 0


@contextmanager
def small_disk(place: Path, *, mounted: bool) -> Iterator[Path]:
    """An empty folder on a disk of its own, with a file of the user."""
    folder = Path(tempfile.mkdtemp(dir=place, prefix="out-"))
    if mounted:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", folder], check=True)
    try:
        (folder / NOTES).write_text(NOTES_TEXT)
        yield folder
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", folder], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def undo(out: Path, *, mounted: bool) -> None:
    """Mend the disk, as a user would."""
    if mounted:
        subprocess.run(["mount", "-o", "remount,rw", out], check=True)
    (out / FILLER).unlink(missing_ok=True)


def problem_of(job: Job, fault: str, code: int, trial: Trial, names: set[str]) -> str:
    """What is wrong after a disturbed run, or an empty text."""
    printed = b"".join(trial.output).decode("utf-8", "replace")
    allowed = FAULTS[fault].codes
    if fault == "memory limit" and any(text in printed for text in OUT_OF_MEMORY):
        allowed += (FAILED,)
    if code not in (*allowed, DONE):
        return f"exit code {code}: {printed[-600:]}"
    if "Traceback" in printed:
        return f"a traceback: {printed[-600:]}"
    if (trial.out / NOTES).read_text() != NOTES_TEXT:
        return "a file of the user was changed"
    if code == DONE and not job.is_complete(trial.out):
        return "exit code 0, but the result is incomplete"
    left = {path.name for path in trial.out.iterdir()} - names - {NOTES}
    if fault in ("kill -9", "read-only disk"):  # nobody can tidy up then; a later run does
        left = {name for name in left if not (name.startswith(".covidseg-") or name.endswith(".new"))}
    if left - set(job.partly):
        return f"left behind: {sorted(left)}"
    if not (job.is_complete(trial.out) or job.is_untouched(trial.out) or job.partly):
        return f"a part of a result: {sorted(path.name for path in trial.out.iterdir())}"
    return ""


def disturb(
    job: Job,
    place: Path,
    fault: str,
    stage: str | float,
    names: set[str],
    *,
    mounted: bool,
    dying: tuple[str, int] | None,
    run_again: bool = True,
    network: Network | None = None,
) -> str:
    """Run one trial, and the next run after it. Return what was wrong, or an empty text."""
    network = network or Network()
    with small_disk(place, mounted=mounted) as out:
        clock = place / "clock"
        command = job.command(job.arguments(place, out))
        strike: Callable[[Trial], None] | None = FAULTS[fault].strike
        if dying:
            command = [sys.executable, str(DYING), dying[0], str(dying[1]), *job.arguments(place, out)]
            strike = None
        trial = start(command, out, clock, network)
        code = run_until(trial, stage, strike)
        undo(out, mounted=mounted)
        network.restore()
        problem = problem_of(job, fault, code, trial, names)
        if problem or job.is_complete(out) or not run_again:
            return problem
        again = start(job.command((job.again or job.arguments)(place, out)), out, clock, network)
        code = run_until(again, "", None)
        if code != DONE or not job.is_complete(out):
            return f"the next run fails with exit code {code}: {b''.join(again.output)[-600:].decode()}"
        if (out / NOTES).read_text() != NOTES_TEXT:
            return "the next run changed a file of the user"
        return ""


def try_job(
    job: Job,
    place: Path,
    faults: list[str],
    *,
    mounted: bool,
    every_next_run: bool,
    network: Network,
    report: Callable[[str], None],
) -> Results:
    """Disturb a job at each stage by each fault. Return the number of trials and the problems by fault."""
    with small_disk(place, mounted=mounted) as out:
        begin = time.monotonic()
        network.restore()
        trial = start(job.command(job.arguments(place, out)), out, place / "clock", network)
        code = run_until(trial, "", None)
        seconds = time.monotonic() - begin
        if code != DONE or not job.is_complete(out):
            raise SystemExit(f"{job.name} fails undisturbed: {b''.join(trial.output).decode()}")
        names = {path.name for path in out.iterdir()}
    stages: list[str | float] = [stage if stage else 0.6 * seconds for stage in job.stages]
    results: Results = {}
    for fault in faults:
        if (fault in NEED_MOUNT and not mounted) or (fault == "network lost" and HALFWAY not in job.stages):
            continue
        trials: list[tuple[str | float, tuple[str, int] | None]] = [(stage, None) for stage in stages]
        if fault == "kill -9" and job.program == Job.program:
            trials += [("", (moment, 1)) for moment in MOMENTS]
        problems = []
        for index, (stage, dying) in enumerate(trials):
            run_again = every_next_run or index == len(trials) // 2
            problem = disturb(
                job,
                place,
                fault,
                stage,
                names,
                mounted=mounted,
                dying=dying,
                run_again=run_again,
                network=network,
            )
            at = f"{dying[0]} file {dying[1]}" if dying else stage
            report(f"{job.name}, {fault}, at {at}: {problem or 'good'}")
            if problem:
                problems.append(f"{job.name}, {fault}, at {at}: {problem}")
        results[fault] = (len(trials), problems)
    return results


def try_panel(report: Callable[[str], None]) -> Results:
    """Disturb a run of the panel, with the stand-ins for Slicer."""
    paths = [ROOT / "Testing" / "module", ROOT, ROOT / "CovidSeg", ROOT / "Testing"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    command = [sys.executable, ROOT / "Testing" / "module" / "run_faults.py"]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
    problems = json.loads(done.stdout.splitlines()[-1])
    for fault, problem in problems.items():
        report(f"{PANEL}, {fault}: {problem or 'good'}")
    return {fault: (1, [problem] if problem else []) for fault, problem in problems.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", nargs="+", choices=[*JOBS, PANEL], default=[*JOBS, PANEL])
    parser.add_argument("--faults", nargs="+", choices=list(FAULTS), default=list(FAULTS))
    parser.add_argument(
        "--few-next-runs", action="store_true", help="try the next run after one trial of each fault, not after all"
    )
    parser.add_argument("--record", type=Path, help="JSON file to which the results are written; see record.py")
    options = parser.parse_args()
    mounted, good = can_mount(), True
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        prepare(place)
        address, network = stack.enter_context(served(place / MODEL))
        (place / ADDRESS).write_text(address)
        for name in options.jobs:
            if name == PANEL:
                results = try_panel(lambda line: print(line, flush=True))
            else:
                results = try_job(
                    JOBS[name],
                    place,
                    options.faults,
                    mounted=mounted,
                    every_next_run=not options.few_next_runs,
                    network=network,
                    report=lambda line: print(line, flush=True),
                )
            good &= not any(problems for _, problems in results.values())
            print(table({name: results}), flush=True)
            if options.record:
                update(options.record, name, results)
    return not good


if __name__ == "__main__":
    sys.exit(main())
