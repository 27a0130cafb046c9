"""How long the panel blocks Slicer while a case is opened, read and corrected.

That is the longest time between two turns of the event loop, by operation.

Runs in the stand-ins of `Testing/module`, on a synthetic CT with many lesions. The goal is 0.3 s on 512 x 512 x 300.

    python Testing/benchmarks/reading_freezes.py [--size 512 512 300] [--profile]
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "CovidSeg"), str(ROOT / "Testing"), str(ROOT / "Testing" / "module")]
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")


def make_cohort(folder: Path, size: tuple[int, int, int]) -> None:
    """Write a cohort of two cases with the same CT of a size (x, y, z)."""
    from live_numbers import make_masks
    from support.cohorts import cohort_of, finish
    from worklists import write_ct

    from CovidSegLib.outputs import write_results
    from CovidSegLib.segmentation import Segmentation
    from CovidSegLib.volume import Grid, GridSpacing, Volume

    shape = (size[2], size[1], size[0])
    lungs, hu, probability = make_masks(shape)
    grid = Grid(shape, GridSpacing(360 / size[0], 360 / size[1], 320 / size[2]))
    volume = Volume(hu, grid)
    provenance = {"versions": {"covidseg": "1"}, "model": {"name": "demo", "sha256": "ab" * 32}}
    segmentation = Segmentation(lungs, probability >= 128, probability, grid, provenance)
    cohort = cohort_of(folder, "a", "b")
    write_ct(folder / "a.nii.gz", volume)
    write_results(folder / "cases" / "a", volume, segmentation, skip=["labels", "surfaces", "overview"])
    shutil.copy(folder / "a.nii.gz", folder / "b.nii.gz")
    shutil.copytree(folder / "cases" / "a", folder / "cases" / "b")
    for name in "ab":
        finish(cohort, name, 2.5)


class Stopwatch:
    """Measures the longest time between two turns of the event loop.

    Args:
        profile: Print where the time is spent.
    """

    def __init__(self, profile: bool):
        import qt

        self._profile = profile
        self._longest = self._last = np.zeros(2)
        self._timer = qt.QTimer()
        self._timer.timeout.connect(self._beat)
        self._timer.start(5)

    def measure(self, name: str, action: Callable[[], object], is_done: Callable[[], bool] = lambda: True) -> None:
        """Do something, wait until it is done and two seconds more, and print the longest freeze."""
        import harness

        self._longest, self._last = np.zeros(2), _clocks()
        start = time.perf_counter()
        profile = cProfile.Profile()
        if self._profile:
            profile.enable()
        action()
        harness.wait_until(is_done, 300)
        done = time.perf_counter() - start
        end = time.monotonic() + 2
        harness.wait_until(lambda: time.monotonic() > end)
        profile.disable()
        elapsed, spent = self._longest
        print(f"{name:48} {elapsed:6.3f} {spent:6.3f} {done:8.2f}", flush=True)
        if self._profile:
            pstats.Stats(profile).sort_stats("tottime").print_stats(12)

    def _beat(self) -> None:
        now = _clocks()
        self._longest, self._last = np.maximum(self._longest, now - self._last), now


def _clocks() -> np.ndarray:
    """Return the time, and the processor time of this thread, in seconds."""
    return np.array([time.perf_counter(), time.thread_time()])


def read(panel: Any, cohort: Path, watch: Stopwatch) -> None:
    """Open a case, correct it and open the next one."""
    import worklists

    reader = worklists.Reader(panel)
    watch.measure("open the worklist", lambda: reader.open(cohort))
    section = reader.section

    def is_quiet() -> bool:
        return section._steps is None

    watch.measure("open a case", lambda: section.open_case("a"), is_quiet)
    time.sleep(2)
    watch.measure("(the second in which the next case is read)", lambda: None)
    tools, ui = panel.sections["correction"], panel.ui
    ui.correctButton.click()
    shape = reader.review.hu().shape

    def stroke(place: tuple[float, float, float], size: int, effect: str = "Paint") -> Callable[[], object]:
        mask = np.zeros(shape, np.uint8)
        mask[tuple(slice(int(along * n), int(along * n) + size) for along, n in zip(place, shape, strict=True))] = 1
        tools.editor.setActiveEffectByName(effect)
        return lambda: tools.editor.activeEffect().modify(mask)

    ui.limitRangeBox.click()
    watch.measure("paint a cube of 20 voxels", stroke((0.5, 0.5, 0.3), 20))
    watch.measure("erase a cube of 20 voxels", stroke((0.5, 0.5, 0.3), 20, "Erase"))
    watch.measure("paint a cube of 60 voxels", stroke((0.45, 0.45, 0.25), 60))
    watch.measure("undo", tools.editor.undo)
    watch.measure("redo", tools.editor.redo)
    ui.correctLungsBox.click()
    watch.measure("erase a cube of 60 voxels from a lung", stroke((0.45, 0.45, 0.25), 60, "Erase"))
    ui.correctLungsBox.click()
    ui.correctButton.click()

    def cut() -> None:
        mask = reader.review.mask("infection")
        part = mask.array.copy()
        part[:, :, part.shape[2] // 4 : part.shape[2] // 4 + 2] = False
        reader.review.write_infection(type(mask)(part, mask.box))

    watch.measure("cut through a lung", cut)
    watch.measure("undo", panel.sections["lesions"].on_undo)
    watch.measure("show the AI's outline", lambda: panel.sections["comparison"].on_outline_button(True))
    watch.measure("hide the AI's outline", lambda: panel.sections["comparison"].on_outline_button(False))
    watch.measure("show the doubtful places", lambda: panel.sections["threshold"].on_doubt_button(True))
    watch.measure("hide the doubtful places", lambda: panel.sections["threshold"].on_doubt_button(False))

    def reject() -> None:
        ui.lesionsTable.setCurrentCell(0, 0)
        ui.rejectButton.click()

    watch.measure("reject a large lesion", reject)
    watch.measure("back to the AI's masks", lambda: panel.sections["comparison"].on_restore_all())
    watch.measure("open the next case", lambda: reader.section.open_case("b"), is_quiet)


def main() -> None:
    """Read a case in the panel, and print the longest freeze of each operation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=3, default=(512, 512, 300), metavar=("X", "Y", "Z"))
    parser.add_argument("--cohort", type=Path, help="folder for the two cases, which are kept for the next time")
    parser.add_argument("--profile", action="store_true", help="print where the time is spent")
    options = parser.parse_args()
    from stand_ins import application, scripted_module

    application.start()
    scripted_module.module_paths["CovidSeg"] = str(ROOT / "CovidSeg" / "CovidSeg.py")
    import harness
    import slicer

    import CovidSeg

    with tempfile.TemporaryDirectory() as folder:
        cohort = options.cohort or Path(folder) / "cohort"
        if not cohort.exists():
            make_cohort(cohort, tuple(options.size))
        widget = CovidSeg.CovidSegWidget(logic=harness.make_logic())
        widget.setup()
        widget.enter()
        widget.parent.show()
        print("seconds: longest freeze, the part of it that Slicer's main thread has worked, and until it was done")
        read(widget.panel, cohort / "cohort.sqlite", Stopwatch(options.profile))
        widget.cleanup()
        slicer.mrmlScene.Clear(False)


if __name__ == "__main__":
    main()
