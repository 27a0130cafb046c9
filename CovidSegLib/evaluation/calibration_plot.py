"""The reliability diagram: of voxels given 30 %, are 30 % infected?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ..figures import palette
from ..metrics.calibration import BINS, Calibration
from ..notices import NOT_FOR_DIAGNOSIS

COLOURS = (palette.PREDICTION, palette.TARGET, "#8be28b", "#ff7f9f", "#c9a7ff", "#d9d9d9")


def draw_reliability(path: Path, by_model: Mapping[str, Sequence[Calibration]]) -> None:
    """Write a PNG: the share infected over the probability given, and below it how many voxels that are.

    Each case is a thin line and all voxels of a model together a thick one, since the errors of cases may be opposite
    and then cancel in the thick line; the error in the legend is the mean over cases.

    Args:
        path: The file to write.
        by_model: The cases of each model.
    """
    figure = Figure(figsize=(6.4, 7.4), dpi=110, facecolor=palette.BACKGROUND, layout="constrained")
    figure.suptitle("Calibration of the probability of infection, within the lungs", color=palette.INK, fontsize=12)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot([0, 1], [0, 1], color=palette.INK, linestyle=":", linewidth=1, label="as it should be")
    wide = 0.9 / BINS / max(1, len(by_model))
    for number, (name, cases) in enumerate(by_model.items()):
        colour = COLOURS[number % len(COLOURS)]
        known = [case for case in cases if case.bins()]
        if not known:
            continue
        for case in known if len(known) > 1 else []:
            _line(above, case, color=colour, linewidth=0.8, alpha=0.6)
        mean = 100 * sum(case.error for case in known) / len(known)
        many = f"{len(known)} cases" if len(known) > 1 else "1 case"
        together = sum(known, Calibration())
        _line(above, together, color=colour, marker="o", linewidth=2, label=f"{name}: mean error {mean:.1f} % ({many})")
        bins = together.bins()
        # Bars side by side in their bins.
        left = [min(int(each.probability * BINS), BINS - 1) / BINS + (number + 0.5) * wide for each in bins]
        below.bar(left, [each.share for each in bins], wide, color=colour)
    above.set_ylabel("share of voxels that are infected", color=palette.INK)
    below.set_ylabel("share of all voxels", color=palette.INK)
    below.set_yscale("log")
    below.set_xlabel("probability given by the model (thin lines: single cases)", color=palette.INK)
    above.set_xlim(0, 1)
    above.set_ylim(0, 1)
    above.yaxis.set_major_formatter(PercentFormatter(1.0))
    below.xaxis.set_major_formatter(PercentFormatter(1.0))
    above.legend(
        facecolor=palette.BACKGROUND, edgecolor=palette.INK, labelcolor=palette.INK, loc="upper left", fontsize=9
    )
    for axes in (above, below):
        axes.set_facecolor(palette.BACKGROUND)
        axes.tick_params(colors=palette.INK)
        axes.grid(color=palette.INK, alpha=0.12)
        for spine in axes.spines.values():
            spine.set_color(palette.INK)
    figure.supxlabel(NOT_FOR_DIAGNOSIS, color=palette.INK, fontsize=9)
    FigureCanvasAgg(figure).print_png(str(path))


def _line(axes: Axes, calibration: Calibration, **look: Any) -> None:
    bins = calibration.bins()
    axes.plot([each.probability for each in bins], [each.infected for each in bins], **look)
