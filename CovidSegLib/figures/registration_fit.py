"""The picture of how well an earlier CT fits the current one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..masks import bounding_box
from ..notices import NOT_FOR_DIAGNOSIS
from ..storage.atomic import write_atomically
from ..volume import Volume
from . import palette

#: Lung window in HU.
LOW, HIGH = -1350.0, 150.0
#: Margin around the lungs in mm.
MARGIN_MM = 15.0
#: Edge of the squares that alternate between both CTs, in mm.
SQUARE_MM = 40.0
COLUMNS = ("Current CT", "Earlier CT, registered", "Squares of both in turn")
PLANES = ("Axial", "Coronal", "Sagittal")
LEGEND = "blue: current lungs     orange: earlier lungs, registered"


@dataclass(frozen=True)
class FitView:
    """What the picture shows, all on the grid of the current CT.

    Attributes:
        volume: The current CT.
        lungs: Its lungs (z, y, x).
        prior: HU of the registered earlier CT.
        prior_lungs: Its registered lungs.
    """

    volume: Volume
    lungs: np.ndarray
    prior: np.ndarray
    prior_lungs: np.ndarray


def draw_fit(path: Path, view: FitView, lung_dice: float) -> None:
    """Write the picture as PNG.

    Args:
        path: File to write.
        view: What to show.
        lung_dice: Dice of the lungs, for the title.
    """
    canvas = FigureCanvasAgg(fit_figure(view, lung_dice))
    write_atomically(path, lambda temporary: canvas.print_png(str(temporary)))


def fit_figure(view: FitView, lung_dice: float) -> Figure:
    """Return the picture: a row for each plane through the lungs, a column for each CT, and one for both in squares."""
    current, lungs, prior, prior_lungs, spacing = _oriented(view)
    box = bounding_box(lungs | prior_lungs) or tuple(slice(0, n) for n in lungs.shape)
    margins = [round(MARGIN_MM / mm) for mm in spacing]
    crop = tuple(
        slice(max(0, part.start - margin), part.stop + margin) for part, margin in zip(box, margins, strict=True)
    )
    current, lungs, prior, prior_lungs = (array[crop] for array in (current, lungs, prior, prior_lungs))
    heights = [size * mm for size, mm in zip(current.shape, spacing, strict=True)]
    rows = [heights[1], heights[0], heights[0]]
    figure = Figure(
        figsize=(9.0, 0.9 + 9.0 * sum(rows) / (3.2 * max(heights[1:]))), dpi=100, facecolor=palette.BACKGROUND
    )
    axes = figure.subplots(3, 3, gridspec_kw={"height_ratios": rows})
    figure.subplots_adjust(0.005, 0.04, 0.995, 1 - 0.62 / figure.get_figheight(), 0.01, 0.02)
    for axis, (plane, row) in enumerate(zip(PLANES, axes, strict=True)):
        index = _middle(lungs, axis)
        pictures = [np.take(array, index, axis) for array in (current, prior)]
        outlines = [np.take(array, index, axis) for array in (lungs, prior_lungs)]
        scale = tuple(mm for other, mm in enumerate(spacing) if other != axis)
        pictures.append(_squares(pictures[0], pictures[1], scale))
        for panel, picture in zip(row, pictures, strict=True):
            _draw(panel, picture, outlines, scale, flipped=axis > 0)
        row[0].text(0.02, 0.97, plane, color=palette.MARK, fontsize=10, va="top", transform=row[0].transAxes)
    for panel, title in zip(axes[0], COLUMNS, strict=True):
        panel.set_title(title, color=palette.INK, fontsize=10, pad=3)
    figure.text(
        0.01, 1 - 0.14 / figure.get_figheight(), f"How well the lungs fit: Dice {lung_dice:.3f}",
        color=palette.INK, fontsize=12, weight="bold", va="center",
    )  # fmt: skip
    figure.text(0.01, 0.015, f"{LEGEND}     {NOT_FOR_DIAGNOSIS}", color=palette.FAINT_INK, fontsize=9)
    return figure


def _oriented(view: FitView) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, tuple[float, float, float]]:
    """Return both CTs and lungs with z to the head, y to the back and x to the patient's left; and the spacing."""
    grid = view.volume.grid
    images = [sitk.DICOMOrient(grid.to_image(array), "LPS") for array in (
        view.volume.array, (view.lungs > 0).astype(np.uint8), view.prior, (view.prior_lungs > 0).astype(np.uint8)
    )]  # fmt: skip
    current, lungs, prior, prior_lungs = (sitk.GetArrayFromImage(image) for image in images)
    x, y, z = images[0].GetSpacing()
    return current, lungs > 0, prior, prior_lungs > 0, (z, y, x)


def _middle(lungs: np.ndarray, axis: int) -> int:
    """Return the slice in the middle of the lungs; of the sagittal ones the one with the most lung."""
    amount = lungs.sum(tuple(other for other in range(3) if other != axis))
    if axis == 2 or not amount.any():
        return int(amount.argmax())
    return int(np.flatnonzero(amount).mean())


def _squares(one: np.ndarray, other: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    row, column = ((np.arange(size) * mm // SQUARE_MM).astype(int) for size, mm in zip(one.shape, spacing, strict=True))
    return np.where((row[:, None] + column) % 2 == 0, one, other)


def _draw(
    axes: Axes, picture: np.ndarray, outlines: list[np.ndarray], spacing: tuple[float, ...], *, flipped: bool
) -> None:
    """Draw a slice, true to scale, with the outlines of both lungs. `flipped` puts the head at the top."""
    axes.imshow(
        picture, cmap="gray", vmin=LOW, vmax=HIGH, aspect=spacing[0] / spacing[1],
        origin="lower" if flipped else "upper", interpolation="bilinear",
    )  # fmt: skip
    for mask, colour in zip(outlines, (palette.TARGET, palette.PREDICTION), strict=True):
        if mask.any():
            axes.contour(mask.astype(np.float32), levels=[0.5], colors=[colour], linewidths=0.8)
    axes.set_axis_off()
