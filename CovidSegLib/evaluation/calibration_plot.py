"""The reliability diagram: are 30 % of the voxels with a probability of 30 % infected?"""

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

#: Colours of the models.
COLOURS = (palette.PREDICTION, palette.TARGET, "#8be28b", "#ff7f9f", "#c9a7ff", "#d9d9d9")


def draw_reliability(path: Path, by_model: Mapping[str, Sequence[Calibration]]) -> None:
    """Write a PNG: the share of infected voxels over the predicted probability, and the number of voxels below.

    Each case is a thin line, and all voxels of a model together are a thick line, in which opposite errors of cases can
    cancel. The error in the legend is the mean over cases.

    Args:
        path: File to write.
        by_model: Calibrations of the cases of each model.
    """
    figure = Figure(figsize=(6.4, 7.4), dpi=110, facecolor=palette.BACKGROUND, layout="constrained")
    figure.suptitle("Calibration of the probability of infection, within the lungs", color=palette.INK, fontsize=12)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot([0, 1], [0, 1], color=palette.INK, linestyle=":", linewidth=1, label="perfect calibration")
    width = 0.9 / BINS / max(1, len(by_model))
    for number, (name, calibrations) in enumerate(by_model.items()):
        colour = COLOURS[number % len(COLOURS)]
        cases = [calibration for calibration in calibrations if calibration.bins()]
        if not cases:
            continue
        if len(cases) > 1:
            for case in cases:
                _draw_line(above, case, color=colour, linewidth=0.8, alpha=0.6)
        pooled = sum(cases, Calibration())
        _draw_line(above, pooled, color=colour, marker="o", linewidth=2, label=_label(name, cases))
        _draw_bars(below, pooled, number * width, width, colour)
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
        _use_palette(axes)
    figure.supxlabel(NOT_FOR_DIAGNOSIS, color=palette.INK, fontsize=9)
    FigureCanvasAgg(figure).print_png(str(path))


def _label(name: str, cases: Sequence[Calibration]) -> str:
    mean = 100 * sum(case.error for case in cases) / len(cases)
    count = f"{len(cases)} cases" if len(cases) > 1 else "1 case"
    return f"{name}: mean error {mean:.1f} % ({count})"


def _draw_line(axes: Axes, calibration: Calibration, **style: Any) -> None:
    bins = calibration.bins()
    axes.plot([each.probability for each in bins], [each.infected for each in bins], **style)


def _draw_bars(axes: Axes, calibration: Calibration, offset: float, width: float, colour: str) -> None:
    """Draw a bar in each bin, at an offset from its left border, beside those of other models."""
    bins = calibration.bins()
    centres = [min(int(each.probability * BINS), BINS - 1) / BINS + offset + 0.5 * width for each in bins]
    axes.bar(centres, [each.share for each in bins], width, color=colour)


def _use_palette(axes: Axes) -> None:
    axes.set_facecolor(palette.BACKGROUND)
    axes.tick_params(colors=palette.INK)
    axes.grid(color=palette.INK, alpha=0.12)
    for spine in axes.spines.values():
        spine.set_color(palette.INK)
