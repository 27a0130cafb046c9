"""How long the panel blocks Slicer during a run: the longest time between two turns of the event loop, by stage.

Runs in the stand-ins of `Testing/module`, with a child process that copies a prepared result, so that the numbers are
those of Slicer's own process alone. The goal is 0.3 s on 512 x 512 x 300.

    python Testing/benchmarks/freezes.py [--size 512 512 300]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "CovidSeg"), str(ROOT / "Testing" / "module")]
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")

#: The child process: copies the result in place of computing it.
CHILD = """
import json, shutil, sys
print(json.dumps({"event": "progress", "stage": "Segmenting", "fraction": 0.5}), flush=True)
shutil.copytree(sys.argv[1], sys.argv[sys.argv.index("--output") + 1])
"""


def make_result(folder: Path, size: tuple[int, int, int]) -> np.ndarray:
    """Write the result of a phantom of a size (x, y, z) to a folder, and return its HU."""
    from CovidSegLib.outputs import write_results
    from CovidSegLib.phantom import make_phantom
    from CovidSegLib.segmentation import Segmentation
    from CovidSegLib.volume import Grid, GridSpacing, Volume

    width, height, depth = size
    spacing = GridSpacing(360 / width, 360 / height, 320 / depth)
    small = make_phantom(Grid((depth // 2, height // 4, width // 4), GridSpacing(*(spacing * np.array([4, 4, 2])))))

    def enlarged(array: np.ndarray) -> np.ndarray:
        return array.repeat(2, 0).repeat(4, 1).repeat(4, 2)

    grid = Grid((depth, height, width), spacing)
    hu, infection = enlarged(small.volume.array), enlarged(small.infection)
    segmentation = Segmentation(
        enlarged(small.lungs).astype(np.uint8), infection, infection.astype(np.uint8) * 200, grid, {"model": None}
    )
    volume = Volume(hu, grid)
    write_results(folder, volume, segmentation, surfaces="segments", skip=["labels", "overview"])
    return hu


def clocks() -> np.ndarray:
    """Return the time, and the processor time of this thread, in seconds."""
    return np.array([time.perf_counter(), time.thread_time()])


def main() -> None:
    """Segment once in the panel and print the longest freeze of each stage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=3, default=(512, 512, 300), metavar=("X", "Y", "Z"))
    size = tuple(parser.parse_args().size)
    from stand_ins import application, scripted_module

    application.start()
    scripted_module.module_paths["CovidSeg"] = str(ROOT / "CovidSeg" / "CovidSeg.py")
    import harness
    import qt
    import slicer

    import CovidSeg

    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result"
        hu = make_result(result, size)
        tempfile.tempdir = folder
        widget = CovidSeg.CovidSegWidget(logic=harness.make_logic())
        widget.setup()
        widget.enter()
        panel = widget.panel
        widget.parent.show()
        stages: dict[str, np.ndarray] = {}
        beats = [clocks()]

        def beat() -> None:
            now = clocks()
            run = harness.current_run(panel)
            stage = run.stage if run else "Idle"
            stages[stage] = np.maximum(stages.get(stage, 0.0), now - beats[-1])
            beats[-1] = now

        timer = qt.QTimer()
        timer.timeout.connect(beat)
        timer.start(5)
        spacing = (360 / size[0], 360 / size[1], 320 / size[2])
        harness.make_ct("CT", hu, np.diag([-1.0, -1.0, 1.0]), spacing, origin=(0, 0, 0))
        end = time.monotonic() + 2
        harness.wait_until(lambda: time.monotonic() > end)
        stages.clear()
        panel.sections["input"].logic.program = [sys.executable, "-c", CHILD, str(result)]
        beats[-1] = clocks()
        harness.click(panel.ui.applyButton)
        harness.wait_until(lambda: harness.current_run(panel) is None, 120)
        end = time.monotonic() + 2
        harness.wait_until(lambda: time.monotonic() > end)
        timer.stop()
        print(panel.ui.statusLabel.text)
        print("longest freeze in s: elapsed, and spent by Slicer's main thread (the difference is other programs)")
        for stage, (elapsed, spent) in stages.items():
            print(f"{stage:20} {elapsed:6.3f} {spent:6.3f}")
        widget.cleanup()
        slicer.mrmlScene.Clear(False)


if __name__ == "__main__":
    main()
