"""Whether a probability of infection means what it says: of voxels given 30 %, are 30 % infected?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from .pictures import BACKGROUND, FOUND_COLOUR, INK, TRUE_COLOUR

#: Probabilities are kept as 0 to 255 for 0 to 1.
LEVELS = 256
BINS = 15
COLOURS = (FOUND_COLOUR, TRUE_COLOUR, "#8be28b", "#ff7f9f", "#c9a7ff", "#d9d9d9")


class Bin(NamedTuple):
    """Voxels whose probabilities are alike: how many of all, their mean probability, and the share that is infected."""

    share: float
    probability: float
    infected: float


def _nothing() -> np.ndarray:
    return np.zeros(LEVELS, dtype=np.int64)


@dataclass(frozen=True)
class Calibration:
    """Voxels counted by the probability of infection that a model gave them; those of several runs are added up.

    Attributes:
        voxels: int64 (256): how many were given each of 0 to 255.
        infected: int64 (256): how many of those are infected.
    """

    voxels: np.ndarray = field(default_factory=_nothing)
    infected: np.ndarray = field(default_factory=_nothing)

    @classmethod
    def of(cls, probability: np.ndarray, infection: np.ndarray, lungs: np.ndarray) -> Calibration:
        """Count the voxels within the lungs: beyond them nearly all is told from infection by any model.

        Args:
            probability: uint8 (z, y, x), 0 to 255 for 0 to 1.
            infection: bool (z, y, x), of the truth.
            lungs: bool (z, y, x), of the truth, so that all models are judged on the same voxels; those that a model
                did not find are given a probability of 0.
        """
        return cls(
            np.bincount(probability[lungs], minlength=LEVELS),
            np.bincount(probability[lungs & infection], minlength=LEVELS),
        )

    def __add__(self, other: Calibration) -> Calibration:
        return Calibration(self.voxels + other.voxels, self.infected + other.infected)

    def bins(self, number: int = BINS) -> list[Bin]:
        """The probabilities in so many bins of one width, but for those that are empty."""
        level = np.arange(LEVELS)
        of_level = np.minimum(level * number // (LEVELS - 1), number - 1)
        found = []
        for each in range(number):
            mine = of_level == each
            if count := int(self.voxels[mine].sum()):
                mean = float((level * self.voxels)[mine].sum()) / count / (LEVELS - 1)
                found.append(Bin(count / int(self.voxels.sum()), mean, int(self.infected[mine].sum()) / count))
        return found

    @property
    def error(self) -> float:
        """Expected calibration error: |share infected - mean probability|, averaged over voxels; NaN without any.

        Of 15 bins of one width (Guo et al., "On calibration of modern neural networks", ICML 2017), of the probability
        of infection itself and not of the more likely of two answers: so 30 % for what is infected in 3 of 10 is right.
        """
        bins = self.bins()
        if not bins:
            return float("nan")
        return sum(each.share * abs(each.infected - each.probability) for each in bins)


def draw_reliability(path: Path, by_model: Mapping[str, Sequence[Calibration]]) -> None:
    """Write a PNG: the share infected over the probability given, and below it how many voxels that are.

    Each case is a thin line and all voxels of a model together a thick one, since the errors of cases may be opposite
    and then cancel in the thick line; the error in the legend is the mean over cases.

    Args:
        path: The file to write.
        by_model: The cases of each model.
    """
    figure = Figure(figsize=(6.4, 7.4), dpi=110, facecolor=BACKGROUND, layout="constrained")
    figure.suptitle("Calibration of the probability of infection, within the lungs", color=INK, fontsize=12)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot([0, 1], [0, 1], color=INK, linestyle=":", linewidth=1, label="as it should be")
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
    above.set_ylabel("share of voxels that are infected", color=INK)
    below.set_ylabel("share of all voxels", color=INK)
    below.set_yscale("log")
    below.set_xlabel("probability given by the model (thin lines: single cases)", color=INK)
    above.set_xlim(0, 1)
    above.set_ylim(0, 1)
    above.yaxis.set_major_formatter(PercentFormatter(1.0))
    below.xaxis.set_major_formatter(PercentFormatter(1.0))
    above.legend(facecolor=BACKGROUND, edgecolor=INK, labelcolor=INK, loc="upper left", fontsize=9)
    for axes in (above, below):
        axes.set_facecolor(BACKGROUND)
        axes.tick_params(colors=INK)
        axes.grid(color=INK, alpha=0.12)
        for spine in axes.spines.values():
            spine.set_color(INK)
    figure.supxlabel("Research software. Not for diagnosis.", color=INK, fontsize=9)
    FigureCanvasAgg(figure).print_png(str(path))


def _line(axes: Axes, calibration: Calibration, **look: Any) -> None:
    bins = calibration.bins()
    axes.plot([each.probability for each in bins], [each.infected for each in bins], **look)
