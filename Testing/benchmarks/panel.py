"""How long a CT in the scene takes in the panel: from the click to the first progress, and to the segments.

Runs in the stand-ins of `Testing/module`, with the real child process.

    python Testing/benchmarks/panel.py [--scan CT] [--runs N]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "CovidSeg"), str(ROOT / "Testing"), str(ROOT / "Testing" / "module")]
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
SCAN = Path(os.environ.get("COVIDSEG_DATA") or ROOT.parent / "data") / "covid_ct_md" / "P001"


def measure(panel: Any, ct: Any) -> dict[str, float]:
    """Segment a CT, and return the seconds after which something is shown."""
    import harness

    panel.ui.inputSelector.setCurrentNode(ct)
    harness.settle(2.0)
    started = time.perf_counter()
    harness.click(panel.ui.applyButton)

    def seconds(shown: Callable[[], object]) -> float:
        harness.wait_until(lambda: shown() or harness.current_run(panel) is None, 300)
        return time.perf_counter() - started

    times = {"first progress": seconds(lambda: panel.ui.progressBar.value), "segments": seconds(lambda: False)}
    if panel.parameters.result is None:
        raise SystemExit(panel.ui.statusLabel.text)
    return times


def main() -> None:
    """Segment several times, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scan", type=Path, default=SCAN)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    from stand_ins import application, scripted_module

    application.start()
    scripted_module.module_paths["CovidSeg"] = str(ROOT / "CovidSeg" / "CovidSeg.py")
    import harness
    import slicer

    import CovidSeg
    from CovidSegLib import models
    from CovidSegLib.reading import read_volume
    from CovidSegLib.volume import LPS_RAS

    volume = read_volume(options.scan)
    grid = volume.grid
    axes = LPS_RAS[:3, :3] @ np.reshape(grid.direction, (3, 3))
    origin = (LPS_RAS @ [*grid.origin, 1])[:3]
    default = models.installed()[0]  # without its card, whose licence the panel would ask to agree to
    listed = [SimpleNamespace(name=default.name, title=default.title, summary="")]
    widget = CovidSeg.CovidSegWidget(logic=harness.make_logic(list_models=lambda: listed))
    widget.setup()
    widget.enter()
    widget.parent.show()
    widget.panel.sections["input"].logic.program = [sys.executable, "-m", "CovidSegLib"]
    runs = []
    for _ in range(options.runs):
        runs.append(measure(widget.panel, harness.make_ct("CT", volume.array, axes, grid.spacing, origin)))
        slicer.mrmlScene.Clear(False)
    for name in runs[0]:
        print(f"{name:16} {statistics.median(run[name] for run in runs):6.2f} s")
    widget.cleanup()


if __name__ == "__main__":
    main()
