"""A preview of a data set: a few slices of each case with its masks, to see at a glance whether they fit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..figures import palette
from ..figures.outlines import draw_outline
from ..figures.slices import show_slice
from ..storage.staging import staged_files
from .case import Case

LUNGS_COLOUR, INFECTION_COLOUR = palette.TARGET, "#ff4b4b"
#: Programs show larger figures badly.
MAX_CASES = 24
#: Slices per case, and cases per row.
SLICES, CASES_PER_ROW = 3, 2
#: Width and height of a panel in inches, and pixels per inch: the largest figure has about 1500 x 3000 pixels.
WIDTH, HEIGHT, DPI = 2.3, 2.15, 110


def slices_to_show(case: Case) -> list[int]:
    """Return up to `SLICES` slices from feet to head: at 1/4 and 3/4 of the lungs, and the one with most infection.

    Without infection, the last one is the middle of the lungs. Without lungs, all slices count as lungs.
    """
    lungs = np.flatnonzero(case.lungs.any(axis=(1, 2)))
    if not lungs.size:
        lungs = np.arange(len(case.scan))
    lower, middle, upper = (int(lungs[round(share * (lungs.size - 1))]) for share in (0.25, 0.5, 0.75))
    infected = np.count_nonzero(case.infection, axis=(1, 2))
    return sorted({lower, int(infected.argmax()) if infected.any() else middle, upper})


def draw_preview(path: Path, cases: Sequence[Case], *, overwrite: bool = False) -> None:
    """Write a PNG of the first `MAX_CASES` cases, with lungs outlined in blue and infection in red.

    Args:
        path: The file to write.
        cases: One or more cases.
        overwrite: Replace the file.

    Raises:
        InputError: The file exists or cannot be written.
    """
    shown = cases[:MAX_CASES]
    rows = -(-len(shown) // CASES_PER_ROW)
    columns = min(CASES_PER_ROW, len(shown))
    size = (WIDTH * SLICES * columns, HEIGHT * rows + 0.5)
    figure = Figure(figsize=size, dpi=DPI, facecolor=palette.BACKGROUND, layout="constrained")
    panels = figure.subplots(rows, SLICES * columns, squeeze=False)
    for panel in panels.flat:
        panel.set_axis_off()
    for number, case in enumerate(shown):
        row, first = number // columns, number % columns * SLICES
        for panel, z in zip(panels[row, first:], slices_to_show(case), strict=False):
            show_slice(panel, case.scan.hu[z], case.scan.spacing.pixel_mm, _panel_title(case, z), size=7)
            draw_outline(panel, case.lungs[z], LUNGS_COLOUR, 0.8)
            draw_outline(panel, case.infection[z], INFECTION_COLOUR, 0.8)
    left_out = f"     {len(cases) - len(shown)} more cases are not shown." if len(cases) > len(shown) else ""
    figure.supxlabel(f"blue: lungs     red: infection{left_out}", color=palette.INK, fontsize=9)
    with staged_files(path.parent, [path.name], overwrite=overwrite) as staged:
        FigureCanvasAgg(figure).print_png(str(staged / path.name))


def _panel_title(case: Case, z: int) -> str:
    """Return the name of the case, the slice, and the structures that are unknown there."""
    masks = {"lungs": case.lungs_known, "infection": case.infection_known}
    unknown = [name for name, known in masks.items() if not known[z]]
    place = f"slice {z + 1} of {len(case.scan)}"
    return f"{case.name}\n{place}{', unknown: ' if unknown else ''}{' and '.join(unknown)}"
