"""Whole processes: `covidseg segment` from DICOM to all outputs, the engines in turn."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from .machine import RSS_MB

REPOSITORY = Path(__file__).resolve().parents[3]
ENGINES = ("openvino", "torch")


def compare_engines(scan: Path, runs: int, engines: tuple[str, ...] = ENGINES) -> dict[str, Any]:
    """Segment a scan with each engine in turn, several times.

    Returns:
        For each engine the medians of wall time, CPU time, peak memory and each stage; and the median over the pairs of
        runs of how many times as long PyTorch takes.
    """
    measured: dict[str, list[dict[str, Any]]] = {engine: [] for engine in engines}
    for _ in range(runs):
        for engine in engines:
            measured[engine].append(run_once(scan, engine))
    result: dict[str, Any] = {engine: medians(each) for engine, each in measured.items()}
    if len(engines) == 2:
        pairs = zip(*(measured[engine] for engine in engines), strict=True)
        ratios = [{key: slow[key] / fast[key] for key in ("wall_s", "cpu_s")} for fast, slow in pairs]
        result["torch/openvino"] = {key: statistics.median(ratio[key] for ratio in ratios) for key in ratios[0]}
    return result


def run_once(scan: Path, engine: str) -> dict[str, Any]:
    """Segment a scan in a child process on the CPU."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "CovidSegLib", "segment", str(scan), "-o", f"{folder}/out"]
        command += ["--device", "cpu", "--engine", engine, "--progress", "json"]
        started = last = time.perf_counter()
        stage, stages, first = "Starting", {}, None
        child = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        for line in child.stdout:
            event, now = json.loads(line), time.perf_counter()
            first = first or now - started
            stages[stage] = stages.get(stage, 0.0) + now - last
            last = now
            if event["event"] == "error":
                raise SystemExit(event["message"])
            stage = event.get("stage", stage)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        return {
            "wall_s": time.perf_counter() - started,
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "peak_mb": usage.ru_maxrss * RSS_MB,
            "first_progress_s": first,
            "stages": stages,
        }


def medians(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of every number over runs."""
    result: dict[str, Any] = {"runs": len(runs)}
    for key in ("wall_s", "cpu_s", "peak_mb", "first_progress_s"):
        result[key] = round(statistics.median(run[key] for run in runs), 2)
    result["stages"] = {
        name: round(statistics.median(run["stages"].get(name, 0.0) for run in runs), 2) for name in runs[0]["stages"]
    }
    return result
