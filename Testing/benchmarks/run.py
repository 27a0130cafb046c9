"""Measure how fast CovidSeg segments on a CPU, and what limits it.

    python Testing/benchmarks/run.py [--scan CT] [--runs N] [--only PART ...] [--out FOLDER] [--profile]
    python Testing/benchmarks/run.py --only volume-rivals --rivals ENVIRONMENT [--model-3d RUN]

CT defaults to P001 of the data in COVIDSEG_DATA. The engines take turns, so that a change of the machine's load meets
both. FOLDER receives speed.json and speed.md. `ONEDNN_MAX_CPU_ISA=AVX512_CORE` imitates a CPU without bfloat16.

volume-rivals measures nnU-Net and MONAI with a three-dimensional network. It takes half an hour, and is not among the
parts that are measured without --only. ENVIRONMENT is a virtual environment, into which nnU-Net is installed if it does
not exist; RUN is a finished run of a recipe with patches, without which the weights are untrained.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(Path(__file__).parent)]
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in the command line

from speed import in_process, machine, rivals, whole  # noqa: E402
from speed.table import as_markdown  # noqa: E402

DATA = Path(os.environ.get("COVIDSEG_DATA") or REPOSITORY.parent / "data") / "covid_ct_md"
PARTS = ("calibration", "whole", "networks", "growth", "parity", "rivals")
#: Only when it is asked for.
LONG_PART = "volume-rivals"
SLICES = (75, 150, 300, 600)
PARITY_SCANS = ("P001", "cap001", "normal001")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Measure the chosen parts, and write what was measured after each."""
    result: dict[str, Any] = {"machine": machine.describe()}
    parts = {
        "calibration": machine.calibrate,
        "whole": lambda: whole.compare_engines(options.scan, options.runs),
        "networks": in_process.networks,
        "growth": lambda: [_grown(options.scan, slices) for slices in SLICES],
        "parity": lambda: in_process.parity([DATA / name for name in PARITY_SCANS]),
        "rivals": lambda: [rivals.sliding_window(options.scan)],
        LONG_PART: lambda: _volume_rivals(options),
    }
    for name in options.only:
        print(f"{name} ...", file=sys.stderr, flush=True)
        result[name] = parts[name]()
        if options.out:
            write(options.out, result)
    return result


def write(folder: Path, result: dict[str, Any]) -> None:
    """Write speed.json and speed.md."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "speed.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (folder / "speed.md").write_text(as_markdown(result), encoding="utf-8")


def _volume_rivals(options: argparse.Namespace) -> dict[str, Any]:
    from speed import volume_rivals  # loads torch, which would add to the memory that other parts measure

    return volume_rivals.compare(options.scan, options.rivals, options.model_3d)


def _grown(scan: Path, slices: int) -> dict[str, float]:
    """Measure the growth in a process of its own, whose peak memory is that of this scan."""
    command = [sys.executable, __file__, "--scan", str(scan), "--slices", str(slices)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Measure, print the tables and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scan", type=Path, default=DATA / "P001")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=[*PARTS, LONG_PART], default=PARTS)
    parser.add_argument("--rivals", type=Path, metavar="ENVIRONMENT", help="virtual environment of nnU-Net")
    parser.add_argument("--model-3d", metavar="RUN", help="finished run of a recipe with patches")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--profile", action="store_true", help="print where the time of a warm scan goes, and stop")
    parser.add_argument("--slices", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if LONG_PART in options.only and not options.rivals:
        parser.error(f"{LONG_PART} needs --rivals")
    if options.slices:
        print(json.dumps(in_process.growth(options.scan, options.slices)))
        return
    if options.profile:
        volume = in_process.read_volume(options.scan)
        in_process.segment(volume, device="cpu")
        print(in_process.profile(lambda: in_process.segment(volume, device="cpu")))
        return
    print(as_markdown(measure(options)))


if __name__ == "__main__":
    main()
