"""Segment again and again in one process through the panel, and check that nothing grows.

    python Testing/module/soak.py --runs 1000
    python Testing/module/soak.py --runs 100 --real --output docs/tables/soak-real.md

Each run adds a CT, clicks the button, waits for the result and removes all nodes. The first runs fill caches and do not
count. Exit code 1: memory, files, threads, nodes or temporary files have grown.
"""

import argparse
import contextlib
import ctypes
import gc
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[1]))  # as pytest does, for `support`
    import conftest  # noqa: F401 - starts the stand-ins for Slicer

import harness
import numpy as np
import qt
import slicer
from scipy.stats import theilslopes

import CovidSeg
from CovidSegLib import models
from CovidSegLib.volume import LPS_RAS

#: Part of the runs that fill caches.
WARM_UP = 0.2
#: Growth of memory per run that would matter in a day of work, in MB.
MOST_MB_PER_RUN = 0.05
REAL = [sys.executable, "-m", "CovidSegLib"]


@dataclass(frozen=True)
class Sample:
    """What the process holds after a run: MB of memory, and numbers of other things."""

    memory_mb: float
    files: int
    threads: int
    nodes: int
    temporary: int


def sample():
    """Return what this process holds now, without freed memory that the allocator keeps."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # another C library than that of GNU
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Sample(
        pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        len(list(Path("/proc/self/fd").iterdir())),
        len(list(Path("/proc/self/task").iterdir())),
        slicer.mrmlScene.GetNumberOfNodes(),
        len(list(Path(tempfile.gettempdir()).iterdir())),
    )


def growth(samples):
    """Return by how much each quantity grows per run after the warm-up: the median slope between any two samples.

    One step of the memory, when an allocator takes another block, is no growth; a leak is many steps.
    """
    counted = samples[int(len(samples) * WARM_UP) :]
    return {name: float(theilslopes([getattr(item, name) for item in counted])[0]) for name in asdict(samples[0])}


def has_grown(samples):
    """Return the names of the quantities that have grown."""
    first, last = samples[int(len(samples) * WARM_UP)], samples[-1]
    slopes = growth(samples)
    grown = [name for name in slopes if name != "memory_mb" and getattr(last, name) > getattr(first, name)]
    return grown + ["memory_mb"] * (slopes["memory_mb"] > MOST_MB_PER_RUN)


def phantom_ct():
    """Add the small phantom, which the real child process can segment, to the scene."""
    from support.phantoms import COARSE, phantom_on

    volume = phantom_on(COARSE).volume
    grid = volume.grid
    axes = (LPS_RAS @ np.vstack([np.column_stack([np.reshape(grid.direction, (3, 3)), np.zeros(3)]), [0, 0, 0, 1]]))[
        :3, :3
    ]
    return harness.make_ct("phantom", volume.array, axes, grid.spacing, (LPS_RAS @ [*grid.origin, 1])[:3])


def soak(panel, runs, make_ct, program, log=None):
    """Run the panel's path. Return a sample after each run."""
    section = panel.sections["input"]
    section.logic.program = program
    samples = []
    for number in range(runs):
        panel.ui.inputSelector.setCurrentNode(make_ct())
        harness.click(panel.ui.applyButton)
        harness.wait_until(lambda: harness.current_run(panel) is None, seconds=600)
        result = panel.parameters.result
        assert result is not None, "there is no result"
        slicer.mrmlScene.Clear(False)
        slicer.app.processEvents()
        # An event loop does this by itself.
        qt.QCoreApplication.sendPostedEvents(None, qt.QEvent.DeferredDelete)
        samples.append(sample())
        if log and (number % max(1, runs // 10) == 0 or number == runs - 1):
            log(f"{number + 1} runs: {samples[-1]}")
    return samples


def table(samples):
    """Return the first and last samples and the growth, in Markdown."""
    names = {
        "memory_mb": "memory (MB)",
        "files": "open files",
        "threads": "threads",
        "nodes": "MRML nodes",
        "temporary": "temporary files",
    }
    first, last, slopes = samples[int(len(samples) * WARM_UP)], samples[-1], growth(samples)
    lines = [f"| {len(samples)} runs | after {int(len(samples) * WARM_UP) + 1} | at the end | growth per run |"]
    lines.append("| --- | ---: | ---: | ---: |")
    for name, title in names.items():
        lines.append(f"| {title} | {getattr(first, name):.4g} | {getattr(last, name):.4g} | {slopes[name]:.4f} |")
    return "\n".join(lines)


def main():
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--real", action="store_true", help="segment the small phantom with the default model")
    parser.add_argument("--output", type=Path, help="file for the table, in Markdown")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder
        default = models.installed()[0]  # without its card, whose licence the panel would ask to agree to
        stub = SimpleNamespace(name=default.name, title=default.name, summary="")
        real = {"list_models": lambda: [stub]} if options.real else {}
        widget = CovidSeg.CovidSegWidget(logic=harness.make_logic(**real))
        widget.setup()
        widget.enter()
        widget.panel.sections["input"].poll_milliseconds = 20
        widget.parent.show()
        program = REAL if options.real else harness.fake("done")
        make_ct = phantom_ct if options.real else harness.make_ct
        samples = soak(widget.panel, options.runs, make_ct, program, lambda line: print(line, flush=True))
        widget.cleanup()
        print(table(samples))
        if options.output:
            options.output.write_text(table(samples) + "\n", encoding="utf-8")
        return 1 if has_grown(samples) else 0


if __name__ == "__main__":
    sys.exit(main())
