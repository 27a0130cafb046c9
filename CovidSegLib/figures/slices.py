"""Axial slices with target and prediction as outlines, and figures of them."""

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
from .outlines import draw_outline

#: Lung window in HU.
LOW, HIGH = -1350.0, 150.0
LEGEND = f"blue: target     orange: prediction     {NOT_FOR_DIAGNOSIS}"
#: Kinds of errors, and the titles of their figures: false positives and false negatives.
FAILURES = {
    "false": "Largest false positives: predicted, but not in the target",
    "missed": "Largest false negatives: in the target, but not predicted",
}
#: Panels side by side in a figure. More do not fit on a screen.
COLUMNS = 4


@dataclass(frozen=True)
class SliceView:
    """One axial slice of a case, with target and prediction.

    Attributes:
        location: Name of the case and number of the slice.
        hu: HU (rows, columns).
        target: Boolean (rows, columns).
        prediction: Boolean (rows, columns).
        spacing: Spacing in mm along (rows, columns).
    """

    location: str
    hu: np.ndarray
    target: np.ndarray
    prediction: np.ndarray
    spacing: tuple[float, float]

    @classmethod
    def of(
        cls,
        name: str,
        scan: AxialScan,
        target: np.ndarray,
        prediction: np.ndarray,
        failure: str | None = None,
    ) -> SliceView:
        """Select a slice of a case: the first with the largest target, or with the most errors of a kind.

        Args:
            name: Name of the case.
            scan: Its CT.
            target: Boolean (z, y, x).
            prediction: Boolean (z, y, x).
            failure: Kind of errors, a key of `FAILURES`; None for the largest target.
        """
        wanted = target if failure is None else _errors(target, prediction, failure)
        index = int(wanted.sum(axis=(1, 2)).argmax())
        # Copies, so that the whole case can be released.
        picture, expected, predicted = (np.array(array[index]) for array in (scan.hu, target, prediction))
        return cls(f"{name}, slice {index + 1} of {len(scan)}", picture, expected, predicted, scan.spacing.pixel_mm)

    @property
    def height_to_width(self) -> float:
        """Ratio of height to width in mm."""
        rows, columns = self.hu.shape
        return rows * self.spacing[0] / (columns * self.spacing[1])

    @property
    def target_pixels(self) -> int:
        """Number of pixels of the target."""
        return int(np.count_nonzero(self.target))

    def error_mm2(self, failure: str) -> float:
        """Return the area in mm² of the errors of a kind, a key of `FAILURES`."""
        return float(np.count_nonzero(_errors(self.target, self.prediction, failure)) * np.prod(self.spacing))


def _errors(target: np.ndarray, prediction: np.ndarray, failure: str) -> np.ndarray:
    return prediction & ~target if failure == "false" else target & ~prediction


def draw_comparison(
    path: Path, title: str, views: Mapping[str, SliceView], solids: Sequence[np.ndarray | None] = ()
) -> None:
    """Write a PNG of one slice: the CT, and for each model the target and its prediction as outlines.

    Args:
        path: File to write.
        title: Title of the figure.
        views: The same slice for each model, by the title of its panel.
        solids: Three-dimensional views for the second row, uint8 (height, width, 3): of the target, below the CT, and
            of each model; None where there is none.
    """
    first = next(iter(views.values()))
    rendered = any(picture is not None for picture in solids)
    height = 5.0 * first.height_to_width + 0.4
    columns = 1 + len(views)
    figure, panels = _figure_of_panels(
        f"{title}\n{first.location}",
        columns * (1 + rendered),
        5.0,
        height,
        dpi=110,
        columns=columns if rendered else None,  # each view stands below its slice
    )
    show_slice(panels[0], first.hu, first.spacing, "CT")
    for panel, (name, view) in zip(panels[1:columns], views.items(), strict=True):
        show_slice(panel, view.hu, view.spacing, name)
        draw_outline(panel, view.target, palette.TARGET)
        draw_outline(panel, view.prediction, palette.PREDICTION)
    for panel, picture, name in zip(panels[columns:], solids, ("Target", *views), strict=False):
        if picture is not None:
            panel.imshow(picture)
            panel.set_title(f"{name.partition(':')[0]}, from the front", color=palette.INK, fontsize=11)
    FigureCanvasAgg(figure).print_png(str(path))


def draw_failures(path: Path, kind: str, views: Sequence[SliceView]) -> None:
    """Write a PNG of several cases: slices with target and prediction as outlines, and the area of the errors.

    Args:
        path: File to write.
        kind: Kind of errors, a key of `FAILURES`.
        views: One slice or more, in the order of the panels.
    """
    height = 4.2 * max(view.height_to_width for view in views) + 0.5
    figure, panels = _figure_of_panels(FAILURES[kind], len(views), 4.2, height, dpi=100)
    for panel, view in zip(panels, views, strict=True):
        show_slice(panel, view.hu, view.spacing, f"{view.location}\n{view.error_mm2(kind) / 100:.0f} cm²", size=9)
        draw_outline(panel, view.target, palette.TARGET, 1.0)
        draw_outline(panel, view.prediction, palette.PREDICTION, 1.0)
    FigureCanvasAgg(figure).print_png(str(path))


def _figure_of_panels(
    title: str, count: int, width: float, height: float, dpi: int, columns: int | None = None
) -> tuple[Figure, list[Axes]]:
    """Make a figure with the legend and a number of panels, each of a width and height in inches."""
    columns = columns or min(count, COLUMNS)
    rows = -(-count // columns)
    size = (width * columns, height * rows + 0.8)
    figure = Figure(figsize=size, dpi=dpi, facecolor=palette.BACKGROUND, layout="constrained")
    figure.suptitle(title, color=palette.INK, fontsize=12)
    figure.supxlabel(LEGEND, color=palette.INK, fontsize=10)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in axes:
        panel.set_axis_off()
    return figure, list(axes[:count])


def show_slice(axes: Axes, hu: np.ndarray, spacing: tuple[float, float], title: str, size: int = 11) -> None:
    """Show an axial slice in the lung window, true to scale.

    Args:
        axes: Axes to draw into.
        hu: HU (rows, columns).
        spacing: Spacing in mm along (rows, columns).
        title: Title above the slice.
        size: Font size of the title.
    """
    axes.imshow(hu, cmap="gray", vmin=LOW, vmax=HIGH, aspect=spacing[0] / spacing[1])
    axes.set_title(title, color=palette.INK, fontsize=size)
    axes.set_axis_off()
