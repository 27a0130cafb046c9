"""What a cohort costs beside the segmentation: engines, tables and listing.

python Testing/benchmarks/cohorts.py engines --jobs 200
python Testing/benchmarks/cohorts.py tables --cases 100000
python Testing/benchmarks/cohorts.py listing COVIDSEG_DATA/covid_ct_md
python Testing/benchmarks/cohorts.py scans COVIDSEG_DATA/covid_ct_md/* --times 2

Every part prints a table in Markdown. Compare seconds within one run only: other programs may keep the computer busy.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from CovidSegLib.cohorts.batch import run_batch
from CovidSegLib.cohorts.cases import Finding, NewCase, add_cases, all_cases, finish_case, start_case, waiting_cases
from CovidSegLib.cohorts.database import FILE, create_cohort
from CovidSegLib.cohorts.engines.engine import Engine, Job, Work
from CovidSegLib.cohorts.engines.local import LocalEngine
from CovidSegLib.cohorts.engines.ray_engine import RayEngine
from CovidSegLib.cohorts.engines.resources import shares
from CovidSegLib.cohorts.engines.worker import run_job
from CovidSegLib.cohorts.enrolment import enrol
from CovidSegLib.cohorts.export import write_tables
from CovidSegLib.cohorts.inputs.listing import list_scans
from CovidSegLib.cohorts.schema import CASE_NUMBERS
from CovidSegLib.cohorts.summary import summarise, write_summary
from CovidSegLib.models import find_model
from CovidSegLib.segmenting import SegmentOptions

MODEL = find_model()
WORK = Work(str(MODEL.folder), MODEL.card["sha256"], SegmentOptions())
LESIONS = 8


@contextlib.contextmanager
def timed(what: str, count: int = 1, unit: str = "s") -> Iterator[None]:
    """Print a row: what was done, and how long it took, in all or for each of `count`."""
    started = time.perf_counter()
    yield
    seconds = (time.perf_counter() - started) / count
    print(f"| {what} | {seconds * (1000 if unit == 'ms' else 1):.2f} {unit} |", flush=True)


def engines_of(folder: Path, workers: int, device: str = "cpu") -> dict[str, Callable[[], Engine]]:
    """Return what makes each engine."""
    return {
        "local": lambda: LocalEngine(WORK, shares(workers, device)),
        "ray": lambda: RayEngine(WORK, folder, workers, None),
    }


def measure_engines(folder: Path, jobs: int, workers: int) -> None:
    """Run cases whose input is missing: what is left is the cost of the engine, the tables and the retries."""
    print("| engine | start, first case | each further case |\n| --- | --- | --- |")
    for name, make in engines_of(folder, workers).items():
        out = folder / name
        cohort = create_cohort(out)
        add_cases(cohort, [NewCase(f"{n:06d}", str(n), str(folder / f"missing{n}.nii")) for n in range(jobs)])
        started = time.perf_counter()
        ended: list[float] = []
        engine = make()
        try:
            run_batch(cohort, engine, log=lambda line, ended=ended: ended.append(time.perf_counter()))
        finally:
            engine.close()
        # The first case of each worker waits for its start.
        further = (ended[-1] - ended[workers]) / (len(ended) - workers - 1)
        print(f"| {name} | {ended[0] - started:.1f} s | {1000 * further:.1f} ms |", flush=True)


def measure_tables(folder: Path, cases: int) -> None:
    """Fill a cohort with made-up results."""
    rng = np.random.default_rng(0)
    cohort = create_cohort(folder)
    print(f"{cases} cases, {LESIONS} lesions each\n\n| step | time |\n| --- | --- |")
    with timed("add all cases"):
        add_cases(
            cohort,
            [
                NewCase(
                    f"{n:016x}", f"series:{n:064x}", f"/data/patient{n}/ct", f"1.2.826.0.1.3680043.{n}", "the only CT"
                )
                for n in range(cases)
            ],
        )
    with timed("list the waiting cases"):
        waiting_cases(cohort)
    lesion = {"lung": "left", "volume_ml": 1.5, "mean_hu": -500.0, "centre_r_mm": 1.0, "centre_a_mm": 2.0}
    result = Finding(
        {name: float(value) for name, value in zip(CASE_NUMBERS, rng.random(len(CASE_NUMBERS)) * 100, strict=True)},
        [{"number": n, **lesion} for n in range(LESIONS)],
        "model",
        "0" * 64,
        "1.0",
        "cpu",
        ["The slices are 5 mm apart: small lesions may be missed, and volumes are coarse."],
    )
    few = min(200, cases)
    with timed("start and finish a case", few, "ms"):
        for n in range(few):
            start_case(cohort, f"{n:016x}")
            finish_case(cohort, f"{n:016x}", result, 20.0)
    with cohort.writing() as connection:  # the others in one transaction, as they would be later
        names = list(result.numbers)
        connection.execute(
            f"UPDATE cases SET state = 'done', model = 'model', {', '.join(f'{name} = ?' for name in names)}",
            list(result.numbers.values()),
        )
        connection.executemany(
            "INSERT OR IGNORE INTO lesions (case_id, number, lung, volume_ml, mean_hu) VALUES (?, ?, 'left', 2, -500)",
            ((f"{n:016x}", number) for n in range(cases) for number in range(LESIONS)),
        )
    last = f"{cases - 1:016x}"
    with timed("start and finish a case when all are done", 20, "ms"):
        for _ in range(20):
            start_case(cohort, last)
            finish_case(cohort, last, result, 20.0)
    with timed("write cohort.csv and lesions.csv"):
        files = write_tables(cohort)
    with timed("covidseg cohort"):
        found = all_cases(cohort)
        write_summary(folder, found, summarise(found))
    for file in (folder / FILE, *files):
        print(f"| {file.name} | {file.stat().st_size / 1e6:.1f} MB |")


def measure_listing(folder: Path, data: Path) -> None:
    """List the scans of a folder tree."""
    files = sum(path.is_file() for path in data.rglob("*"))
    print("| step | time |\n| --- | --- |")
    with timed(f"list {files} files, each", files, "ms"):
        scans = list_scans([data], folder).scans
    with timed("enrol"):
        enrol(create_cohort(folder), scans)
    print(f"{len(scans)} scans")


def measure_scans(folder: Path, inputs: list[Path], times: int) -> None:
    """Segment scans in this process, and through each engine with one worker: seconds of CPU and of the clock."""
    print("| how | CPU s for each scan | s for each scan |\n| --- | --- | --- |")
    paths = [path.absolute() for path in inputs] * times
    run_job(WORK, Job("warm", paths[0], None, folder / "warm"))
    cpu, started = time.process_time(), time.perf_counter()
    for number, path in enumerate(paths):
        outcome = run_job(WORK, Job(str(number), path, None, folder / "here" / str(number)))
        assert outcome.kind == "done", outcome.sentence
    each = len(paths)
    print(
        f"| in one process | {(time.process_time() - cpu) / each:.2f} | {(time.perf_counter() - started) / each:.2f} |"
    )
    for name, make in engines_of(folder, 1).items():
        cohort = create_cohort(folder / name)
        add_cases(cohort, [NewCase(f"{n}", str(n), str(path)) for n, path in enumerate([paths[0], *paths])])
        ends: list[float] = []
        engine = make()
        cpu = time.process_time()
        try:
            run_batch(cohort, engine, log=lambda line, ends=ends: ends.append(time.perf_counter()))
        finally:
            engine.close()
        own = (time.process_time() - cpu) / (each + 1)
        done = all_cases(cohort)[1:]
        spent = [case.numbers["cpu_seconds"] or 0.0 for case in done]
        print(f"| {name} | {np.mean(spent) + own:.2f} | {(ends[-1] - ends[0]) / each:.2f} |", flush=True)
        for case in done if name == "local" else ():
            size = sum(path.stat().st_size for path in cohort.path_of(case.output).iterdir())
            peak, slices = case.numbers["peak_mb"], case.numbers["slices"]
            print(f"  {Path(case.input).name}: {slices} slices, peak {peak} MB, results {size / 1e6:.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("engines", "tables", "listing", "scans"))
    parser.add_argument("inputs", type=Path, nargs="*")
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.part == "engines":
            measure_engines(folder, options.jobs, options.workers)
        elif options.part == "tables":
            measure_tables(folder, options.cases)
        elif options.part == "listing":
            measure_listing(folder / "cohort", options.inputs[0])
        else:
            measure_scans(folder, options.inputs, options.times)


if __name__ == "__main__":
    main()
