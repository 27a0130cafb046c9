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

#: Lung window.
LOW, HIGH = -1350.0, 150.0
TRUE_COLOUR, FOUND_COLOUR = "#59c3ff", "#ffb020"
LEGEND = f"blue: truth     orange: result     {NOT_FOR_DIAGNOSIS}"
BACKGROUND, INK = "#101418", "#f2f4f6"
#: What can be wrong, and what is said of it.
FAILURES = {"false": "Most that was found and is not marked", "missed": "Most that is marked and was not found"}
#: Panels of a picture beside each other: more do not fit on a screen.
ABREAST = 4


@dataclass(frozen=True)
class View:
    """One axial slice of a case.

    Attributes:
        place: The run of slices and the slice of it, in words.
        hu: (rows, columns), in HU.
        true, found: bool (rows, columns).
        spacing: mm between rows and columns.
    """

    place: str
    hu: np.ndarray
    true: np.ndarray
    found: np.ndarray
    spacing: tuple[float, float]

    @property
    def voxels(self) -> int:
        """How many are infected, of the truth."""
        return int(np.count_nonzero(self.true))

    def wrong_mm2(self, kind: str) -> float:
        """Area of what was found and is none, of the kind "false", or is there and was not found, "missed"."""
        return float(np.count_nonzero(_wrong(self.true, self.found, kind)) * np.prod(self.spacing))

    @classmethod
    def of(
        cls,
        name: str,
        hu: np.ndarray,
        true: np.ndarray,
        found: np.ndarray,
        spacing: tuple[float, float, float],
        failure: str | None = None,
    ) -> View:
        """Of arrays (z, y, x) the slice with most true infection, or most of a failure; the first of several."""
        wanted = true if failure is None else _wrong(true, found, failure)
        most = int(wanted.sum(axis=(1, 2)).argmax())
        picture, marked, seen = (np.array(array[most]) for array in (hu, true, found))
        return cls(f"{name}, slice {most + 1} of {len(hu)}", picture, marked, seen, spacing[1:])


def _wrong(true: np.ndarray, found: np.ndarray, kind: str) -> np.ndarray:
    return found & ~true if kind == "false" else true & ~found


def draw(path: Path, title: str, views: Mapping[str, View]) -> None:
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
    figure = Figure(figsize=size, dpi=110, facecolor=BACKGROUND, layout="constrained")
    figure.suptitle(f"{title}\n{first.place}", color=INK, fontsize=12)
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for panel in axes[panels:]:
        panel.set_axis_off()
    show(axes[0], first.hu, first.spacing, "CT")
    for panel, (name, view) in zip(axes[1:panels], views.items(), strict=True):
        show(panel, view.hu, view.spacing, name)
        outline(panel, view.true, TRUE_COLOUR)
        outline(panel, view.found, FOUND_COLOUR)
    figure.supxlabel(LEGEND, color=INK, fontsize=10)
    FigureCanvasAgg(figure).print_png(str(path))


def draw_failures(path: Path, kind: str, views: Sequence[View]) -> None:
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
    figure = Figure(figsize=size, dpi=100, facecolor=BACKGROUND, layout="constrained")
    figure.suptitle(FAILURES[kind], color=INK, fontsize=12)
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for panel in axes:
        panel.set_axis_off()
    for panel, view in zip(axes, views, strict=False):
        show(panel, view.hu, view.spacing, f"{view.place}\n{view.wrong_mm2(kind) / 100:.0f} cm²", size=9)
        outline(panel, view.true, TRUE_COLOUR, 1.0)
        outline(panel, view.found, FOUND_COLOUR, 1.0)
    figure.supxlabel(LEGEND, color=INK, fontsize=10)
    FigureCanvasAgg(figure).print_png(str(path))


def show(axes: Axes, hu: np.ndarray, spacing: tuple[float, float], title: str, size: int = 11) -> None:
    """An axial slice (rows, columns) in the lung window, in its true proportions: `spacing` is mm between them."""
    axes.imshow(hu, cmap="gray", vmin=LOW, vmax=HIGH, aspect=spacing[0] / spacing[1])
    axes.set_title(title, color=INK, fontsize=size)
    axes.set_axis_off()


def outline(axes: Axes, mask: np.ndarray, colour: str, width: float = 1.2) -> None:
    """The border of a mask (rows, columns), on the slice that `show` shows; nothing of an empty one."""
    if mask.any():
        # A frame of one voxel, so that a mask that touches the border is outlined there too.
        y, x = (np.arange(size + 2) - 1 for size in mask.shape)
        axes.contour(x, y, np.pad(mask.astype(np.float32), 1), levels=[0.5], colors=[colour], linewidths=width)
