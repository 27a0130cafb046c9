"""The picture of a cohort: how much infection, how severe, and which cases stand out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from ..figures import palette
from ..notices import NOT_FOR_DIAGNOSIS
from ..printable import printable
from .cases import Case
from .outliers import Outlier
from .statistics import Statistics, group_of, values_of

#: Groups that are drawn; the smaller ones are left out, which the title says.
MOST_GROUPS = 12
#: Outliers that are named.
NAMED = 8
_BINS = 30
_LONGEST = 22


def draw_cohort(path: Path, cases: Sequence[Case], statistics: Statistics, outliers: Sequence[Outlier]) -> None:
    """Write a PNG with a histogram of the involvement, the severity, the volumes with the outliers, and the groups.

    Args:
        path: File to write.
        cases: All cases of the cohort.
        statistics: Their statistics.
        outliers: Cases to look at, the most important first.
    """
    grouped = len(statistics.groups) > 1
    size = (12.0, 7.6 if grouped else 4.2)
    figure = Figure(figsize=size, dpi=100, facecolor=palette.BACKGROUND, layout="constrained")
    axes = figure.subplot_mosaic("ABC;DDD" if grouped else "ABC")
    states = statistics.whole.states
    title = f"{states['done']} scans"
    title += "".join(f", {states[state]} {state}" for state in ("failed", "waiting", "running") if states[state])
    figure.suptitle(title, color=palette.INK, fontsize=13)
    _draw_shares(axes["A"], cases)
    _draw_severity(axes["B"], cases)
    _draw_volumes(axes["C"], cases, outliers)
    if grouped:
        _draw_groups(axes["D"], cases, statistics)
    for part in axes.values():
        _use_palette(part)
    figure.supxlabel(NOT_FOR_DIAGNOSIS, color=palette.FAINT_INK, fontsize=9)
    FigureCanvasAgg(figure).print_png(str(path))


def _draw_shares(axes: Axes, cases: Sequence[Case]) -> None:
    shares = values_of(cases, "both_involvement_percent")
    axes.hist(shares, bins=_BINS, range=(0, max(5.0, shares.max(initial=0.0))), color=palette.INFECTION)
    if shares.size:
        median = float(np.median(shares))
        axes.axvline(median, color=palette.MARK, lw=1.2)
        axes.annotate(
            f" median {median:.1f} %", (median, 0.97), xycoords=("data", "axes fraction"), color=palette.MARK,
            fontsize=9, va="top",
        )  # fmt: skip
    axes.set_title("Infected share of the lungs")
    axes.set_xlabel("percent of the lung volume")
    axes.set_ylabel("scans")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_severity(axes: Axes, cases: Sequence[Case]) -> None:
    scores = values_of(cases, "severity").astype(int)
    counts = np.bincount(scores, minlength=25)
    axes.bar(np.arange(counts.size), counts, width=0.85, color=palette.PREDICTION)
    axes.set_title("Six-zone severity score")
    axes.set_xlabel("score, 0 to 24")
    axes.set_ylabel("scans")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_volumes(axes: Axes, cases: Sequence[Case], outliers: Sequence[Outlier]) -> None:
    done = [case for case in cases if case.state == "done"]
    volumes, infections = (
        np.array([case.numbers[name] or 0.0 for case in done]) for name in ("both_volume_ml", "both_infection_ml")
    )
    axes.scatter(volumes, infections, s=14, color=palette.LUNGS, alpha=0.7, linewidths=0)
    marked = [outlier for outlier in outliers if outlier.stands_out][:NAMED]
    for rank, outlier in enumerate(marked, start=1):
        numbers = outlier.case.numbers
        place = numbers["both_volume_ml"] or 0.0, numbers["both_infection_ml"] or 0.0
        axes.scatter([place[0]], [place[1]], s=46, facecolors="none", edgecolors=palette.MARK, linewidths=1.2)
        label = axes.annotate(str(rank), place, (5, 4), textcoords="offset points", color=palette.MARK, fontsize=9)
        label.set_path_effects([withStroke(linewidth=3, foreground=palette.PANEL)])
    axes.set_title("Infection and lungs" + (" (ranks: outliers.csv)" if marked else ""))
    axes.set_xlabel("lungs (ml)")
    axes.set_ylabel("infection (ml)")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=min(0.0, -0.02 * axes.get_ylim()[1]))


def _draw_groups(axes: Axes, cases: Sequence[Case], statistics: Statistics) -> None:
    shown = [group.name for group in statistics.groups[:MOST_GROUPS]]
    values = [
        values_of([case for case in cases if group_of(case, statistics.by) == name], "both_involvement_percent")
        for name in shown
    ]
    boxes = axes.boxplot(values, widths=0.5, patch_artist=True, showfliers=True)
    for box in boxes["boxes"]:
        box.set(facecolor=palette.INFECTION, alpha=0.75, edgecolor=palette.INK)
    for part in ("whiskers", "caps"):
        for line in boxes[part]:
            line.set_color(palette.INK)
    for line in boxes["medians"]:
        line.set(color=palette.MARK, linewidth=1.6)
    for fliers in boxes["fliers"]:
        fliers.set(marker="o", markersize=3, markerfacecolor=palette.INK, markeredgewidth=0, alpha=0.6)
    labels = [f"{_shortened(name)}\n{group.size} scans" for name, group in zip(shown, values, strict=True)]
    axes.set_xticks(range(1, len(shown) + 1), labels)
    left_out = len(statistics.groups) - len(shown)
    axes.set_title(
        f"Infected share of the lungs by {printable(str(statistics.by))}"
        + (f", without the {left_out} smallest groups" if left_out else "")
    )
    axes.set_ylabel("percent of the lung volume")
    axes.set_ylim(bottom=0)


def _shortened(name: str) -> str:
    name = printable(name)
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


def _use_palette(axes: Axes) -> None:
    axes.set_facecolor(palette.PANEL)
    axes.title.set(color=palette.INK, fontsize=11)
    axes.tick_params(colors=palette.FAINT_INK)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(palette.FAINT_INK)
    axes.grid(color=palette.FAINT_INK, alpha=0.2)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_color(palette.FAINT_INK)
