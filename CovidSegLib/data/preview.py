"""A contact sheet of a data set: a few slices of each case with its masks, to see at a glance that they fit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..figures import palette
from ..figures.slices import draw_outline, show_slice
from ..storage.staging import staged_files
from .case import Case

LUNGS_COLOUR, INFECTION_COLOUR = palette.TARGET, "#ff4b4b"
#: More cases than this make a sheet that no program shows well.
MOST = 24
#: Slices of a case, and cases beside each other.
SLICES, ABREAST = 3, 2
#: Inches of a panel, and pixels to the inch: the largest sheet has some 1500 x 3000 pixels.
WIDTH, HEIGHT, DPI = 2.3, 2.15, 110


def slices_to_show(case: Case) -> list[int]:
    """Up to `SLICES` slices from feet to head: a quarter and three quarters up the lungs, and that with most infection.

    Where there is no infection it is the middle of the lungs, and where there are no lungs they are taken to be all.
    """
    held = np.flatnonzero(case.lungs.any(axis=(1, 2)))
    if not held.size:
        held = np.arange(len(case.scan))
    lower, middle, upper = (int(held[round(share * (held.size - 1))]) for share in (0.25, 0.5, 0.75))
    infected = np.count_nonzero(case.infection, axis=(1, 2))
    return sorted({lower, int(infected.argmax()) if infected.any() else middle, upper})


def draw(path: Path, cases: Sequence[Case], *, overwrite: bool = False) -> None:
    """Write a PNG of the first `MOST` cases, lungs outlined in blue and infection in red.

    Args:
        path: The file to write.
        cases: One or more.
        overwrite: Replace the file.

    Raises:
        InputError: The file is there already, or it cannot be written.
    """
    shown = cases[:MOST]
    rows = -(-len(shown) // ABREAST)
    abreast = min(ABREAST, len(shown))
    size = (WIDTH * SLICES * abreast, HEIGHT * rows + 0.5)
    figure = Figure(figsize=size, dpi=DPI, facecolor=palette.BACKGROUND, layout="constrained")
    panels = figure.subplots(rows, SLICES * abreast, squeeze=False)
    for panel in panels.flat:
        panel.set_axis_off()
    for number, case in enumerate(shown):
        row, first = number // abreast, number % abreast * SLICES
        for panel, z in zip(panels[row, first:], slices_to_show(case), strict=False):
            show_slice(panel, case.scan.hu[z], case.scan.spacing.pixel_mm, _title(case, z), size=7)
            draw_outline(panel, case.lungs[z], LUNGS_COLOUR, 0.8)
            draw_outline(panel, case.infection[z], INFECTION_COLOUR, 0.8)
    left_out = f"     {len(cases) - len(shown)} more cases are not shown." if len(cases) > len(shown) else ""
    figure.supxlabel(f"blue: lungs     red: infection{left_out}", color=palette.INK, fontsize=9)
    with staged_files(path.parent, [path.name], overwrite=overwrite) as new:
        FigureCanvasAgg(figure).print_png(str(new / path.name))


def _title(case: Case, z: int) -> str:
    """The case and the slice, and what of its masks may not be learnt from."""
    masks = {"lungs": case.lungs_known, "infection": case.infection_known}
    unknown = [name for name, known in masks.items() if not known[z]]
    place = f"slice {z + 1} of {len(case.scan)}"
    return f"{case.name}\n{place}{', unknown: ' if unknown else ''}{' and '.join(unknown)}"
