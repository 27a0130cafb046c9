"""Pictures of cases: slices with what was marked and what a model found, and those where the two differ most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..notices import NOT_FOR_DIAGNOSIS
from ..volume import AxialScan
from . import palette

#: Lung window.
LOW, HIGH = -1350.0, 150.0
LEGEND = f"blue: truth     orange: result     {NOT_FOR_DIAGNOSIS}"
#: What can be wrong, and what is said of it.
FAILURES = {"false": "Most that was found and is not marked", "missed": "Most that is marked and was not found"}
#: Panels of a picture beside each other: more do not fit on a screen.
ABREAST = 4


@dataclass(frozen=True)
class SliceView:
    """One axial slice of a case.

    Attributes:
        location: The run of slices and the slice of it, in words.
        hu: (rows, columns), in HU.
        target, prediction: bool (rows, columns).
        spacing: mm between rows and columns.
    """

    location: str
    hu: np.ndarray
    target: np.ndarray
    prediction: np.ndarray
    spacing: tuple[float, float]

    @property
    def voxels(self) -> int:
        """How many are infected, of the truth."""
        return int(np.count_nonzero(self.target))

    def wrong_mm2(self, kind: str) -> float:
        """Area of what was found and is none, of the kind "false", or is there and was not found, "missed"."""
        return float(np.count_nonzero(_wrong(self.target, self.prediction, kind)) * np.prod(self.spacing))

    @classmethod
    def of(
        cls,
        name: str,
        scan: AxialScan,
        true: np.ndarray,
        found: np.ndarray,
        failure: str | None = None,
    ) -> SliceView:
        """Of arrays (z, y, x) the slice with most true infection, or most of a failure; the first of several."""
        wanted = true if failure is None else _wrong(true, found, failure)
        most = int(wanted.sum(axis=(1, 2)).argmax())
        picture, marked, seen = (np.array(array[most]) for array in (scan.hu, true, found))
        return cls(f"{name}, slice {most + 1} of {len(scan)}", picture, marked, seen, scan.spacing.pixel_mm)


def _wrong(true: np.ndarray, found: np.ndarray, kind: str) -> np.ndarray:
    return found & ~true if kind == "false" else true & ~found


def draw_comparison(path: Path, title: str, views: Mapping[str, SliceView]) -> None:
    """Write a PNG: the slice alone, and beside and below it for each model truth and result as outlines.

    Args:
        path: The file to write.
        title: What stands above it.
        views: The same slice by what stands above its panel: the model, and how well it did.
    """
    first = next(iter(views.values()))
    panels = 1 + len(views)
    tall = 5.0 * first.hu.shape[0] * first.spacing[0] / (first.hu.shape[1] * first.spacing[1])
    across = min(panels, ABREAST)
    down = -(-panels // across)
    size = (5.0 * across, (tall + 0.3) * down + 0.8)
    figure = Figure(figsize=size, dpi=110, facecolor=palette.BACKGROUND, layout="constrained")
    figure.suptitle(f"{title}\n{first.location}", color=palette.INK, fontsize=12)
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for panel in axes[panels:]:
        panel.set_axis_off()
    show_slice(axes[0], first.hu, first.spacing, "CT")
    for panel, (name, view) in zip(axes[1:panels], views.items(), strict=True):
        show_slice(panel, view.hu, view.spacing, name)
        draw_outline(panel, view.target, palette.TARGET)
        draw_outline(panel, view.prediction, palette.PREDICTION)
    figure.supxlabel(LEGEND, color=palette.INK, fontsize=10)
    FigureCanvasAgg(figure).print_png(str(path))


def draw_failures(path: Path, kind: str, views: Sequence[SliceView]) -> None:
    """Write a PNG: slices of several cases with truth and result as outlines, and how much is wrong.

    Args:
        path: The file to write.
        kind: Of `FAILURES`.
        views: One or more, in this order.
    """
    across = min(len(views), ABREAST)
    down = -(-len(views) // across)
    tall = 4.2 * max(view.hu.shape[0] * view.spacing[0] / (view.hu.shape[1] * view.spacing[1]) for view in views)
    size = (4.2 * across, (tall + 0.5) * down + 0.8)
    figure = Figure(figsize=size, dpi=100, facecolor=palette.BACKGROUND, layout="constrained")
    figure.suptitle(FAILURES[kind], color=palette.INK, fontsize=12)
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for panel in axes:
        panel.set_axis_off()
    for panel, view in zip(axes, views, strict=False):
        show_slice(panel, view.hu, view.spacing, f"{view.location}\n{view.wrong_mm2(kind) / 100:.0f} cm²", size=9)
        draw_outline(panel, view.target, palette.TARGET, 1.0)
        draw_outline(panel, view.prediction, palette.PREDICTION, 1.0)
    figure.supxlabel(LEGEND, color=palette.INK, fontsize=10)
    FigureCanvasAgg(figure).print_png(str(path))


def show_slice(axes: Axes, hu: np.ndarray, spacing: tuple[float, float], title: str, size: int = 11) -> None:
    """An axial slice (rows, columns) in the lung window, in its true proportions: `spacing` is mm between them."""
    axes.imshow(hu, cmap="gray", vmin=LOW, vmax=HIGH, aspect=spacing[0] / spacing[1])
    axes.set_title(title, color=palette.INK, fontsize=size)
    axes.set_axis_off()


def draw_outline(axes: Axes, mask: np.ndarray, colour: str, width: float = 1.2) -> None:
    """The border of a mask (rows, columns), on the slice that `show` shows; nothing of an empty one."""
    if mask.any():
        # A frame of one voxel, so that a mask that touches the border is outlined there too.
        y, x = (np.arange(size + 2) - 1 for size in mask.shape)
        axes.contour(x, y, np.pad(mask.astype(np.float32), 1), levels=[0.5], colors=[colour], linewidths=width)
