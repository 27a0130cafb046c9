"""Measure time by stage and peak memory of `covidseg segment` on a real scan, from DICOM to all outputs.

    python Testing/benchmarks/segment_scan.py [CT] [--runs N] [--device cpu]

CT defaults to P001 of the shared data. Each run is a separate process. Medians over runs are printed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("COVIDSEG_DATA") or REPOSITORY.parent / "shared" / "data")


def run_once(scan: Path, device: str) -> tuple[dict[str, float], float]:
    """Segment a scan in a child process. Return the seconds of each stage, and of the whole run."""
    seconds: dict[str, float] = defaultdict(float)
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "CovidSegLib", "segment", str(scan), "--output", f"{out}/results"]
        command += ["--progress", "json", "--device", device]
        started = last = time.perf_counter()
        stage = "Starting"
        with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for line in child.stdout:
                event, now = json.loads(line), time.perf_counter()
                seconds[stage] += now - last
                last = now
                if event["event"] == "error":
                    raise SystemExit(event["message"])
                stage = event.get("stage", stage)
        seconds["Ending"] = time.perf_counter() - last
    return dict(seconds), time.perf_counter() - started


def main() -> None:
    """Print the median of each stage, the total and the peak memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scan", type=Path, nargs="?", default=DATA / "covid_ct_md" / "P001")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()

    runs = [run_once(options.scan, options.device) for _ in range(options.runs)]
    print(f"{options.scan.name}, {options.device}, {os.cpu_count()} processors, median of {options.runs} runs")
    for stage in runs[0][0]:
        print(f"  {stage:<26} {statistics.median(seconds.get(stage, 0.0) for seconds, _ in runs):6.1f} s")
    totals = [total for _, total in runs]
    print(f"  {'total':<26} {statistics.median(totals):6.1f} s ({min(totals):.1f} to {max(totals):.1f})")
    # The largest child process of all runs: in KiB on Linux, in bytes on macOS.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(f"  {'peak memory':<26} {peak / 2**30:6.2f} GiB")


if __name__ == "__main__":
    main()
