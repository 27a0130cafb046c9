"""The plot of infection over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..notices import NOT_FOR_DIAGNOSIS
from ..storage.atomic import write_atomically
from . import palette

#: Regions, their colours and markers.
SERIES = (
    ("both lungs", palette.INK, "o"),
    ("right lung", palette.RIGHT_LUNG, "s"),
    ("left lung", palette.LEFT_LUNG, "D"),
)
PANELS = (("involvement_percent", "Infected share of the lung (%)"), ("infection_ml", "Infection (ml)"))


def draw_trend(path: Path, timeline: Sequence[Mapping[str, Any]]) -> None:
    """Write the plot as PNG.

    Args:
        path: File to write.
        timeline: Time points as in `followup.timeline`, the earliest first.
    """
    canvas = FigureCanvasAgg(trend_figure(timeline))
    write_atomically(path, lambda temporary: canvas.print_png(str(temporary)))


def trend_figure(timeline: Sequence[Mapping[str, Any]]) -> Figure:
    """Return the plot: share and volume of the infection in each lung, over days, or in order if days are not known."""
    figure = Figure(figsize=(9.0, 4.2), dpi=100, facecolor=palette.BACKGROUND, layout="constrained")
    known = all(point["days"] is not None for point in timeline)
    positions = [float(point["days"]) for point in timeline] if known else [float(n) for n in range(len(timeline))]
    for axes, (number, title) in zip(figure.subplots(1, 2), PANELS, strict=True):
        for region, colour, marker in SERIES:
            values = [point["regions"][region][number] for point in timeline]
            axes.plot(positions, values, color=colour, marker=marker, markersize=5, lw=1.8, label=region)
            for place, value in zip(positions, values, strict=True):
                if region == "both lungs":
                    axes.annotate(
                        f"{value:.1f}", (place, value), (0, 7), textcoords="offset points", color=colour,
                        fontsize=9, ha="center",
                    )  # fmt: skip
        axes.set_title(title, color=palette.INK, fontsize=11)
        axes.set_ylim(0, 1.15 * max(axes.get_ylim()[1], 0.1))
        axes.margins(x=0.12)
        _label_time(axes, timeline, positions, known)
    axes.legend(frameon=False, labelcolor=palette.INK, fontsize=9)
    figure.supxlabel(NOT_FOR_DIAGNOSIS, color=palette.FAINT_INK, fontsize=9)
    return figure


def _label_time(axes: Axes, timeline: Sequence[Mapping[str, Any]], positions: list[float], known: bool) -> None:
    """Label the time axis: with dates if all are known, otherwise with days before the current CT or the order."""
    if all(point["date"] for point in timeline) and len(set(positions)) == len(positions):
        axes.set_xticks(positions, [str(point["date"]) for point in timeline], rotation=30, ha="right")
    elif known:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("Days, the current CT at 0", color=palette.FAINT_INK)
    else:
        axes.set_xticks(positions, [f"CT {number}" for number in range(1, len(positions) + 1)])
    axes.set_facecolor(palette.PANEL)
    axes.tick_params(colors=palette.FAINT_INK)
    axes.grid(color=palette.FAINT_INK, alpha=0.2)
    for spine in axes.spines.values():
        spine.set_color(palette.FAINT_INK)
