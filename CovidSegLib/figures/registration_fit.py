"""The picture of how well an earlier CT fits the current one. It is drawn with Pillow: 3D Slicer has no matplotlib."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from PIL import Image, ImageColor, ImageDraw, ImageFont
from scipy import ndimage

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
#: Width of a panel and space between panels, height of the title and of a line of text, in pixels.
PANEL, GAP, TITLE, LINE = 330, 6, 34, 24
COLUMNS = ("Current CT", "Earlier CT, registered", "Squares of both in turn")
PLANES = ("Axial", "Coronal", "Sagittal")
LEGEND = "blue: current lungs     orange: earlier lungs, registered"
#: Colours in the file: grey values and two outlines do not need more.
COLOURS = 128


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
    picture = fit_picture(view, lung_dice).quantize(COLOURS)
    write_atomically(path, lambda temporary: picture.save(temporary, format="PNG", optimize=True))


def fit_picture(view: FitView, lung_dice: float) -> Image.Image:
    """Return the picture: a row for each plane through the lungs, a column for each CT, and one for both in squares."""
    arrays, spacing = _oriented(view)
    lungs = arrays[1]
    rows = []
    for axis in range(3):
        index = _middle(lungs, axis)
        hu, lung, prior, prior_lung = (np.take(array, index, axis) for array in arrays)
        if axis:  # the head at the top
            hu, lung, prior, prior_lung = (array[::-1] for array in (hu, lung, prior, prior_lung))
        scale = [mm for other, mm in enumerate(spacing) if other != axis]
        pictures = (hu, prior, _squares(hu, prior, scale))
        rows.append([_panel(picture, (lung, prior_lung), scale) for picture in pictures])
    return _page(rows, f"How well the lungs fit: Dice {lung_dice:.3f}")


def _oriented(view: FitView) -> tuple[list[np.ndarray], list[float]]:
    """Return both CTs, each followed by its lungs, cropped around the lungs; and the spacing (z, y, x).

    The axis z points to the head, y to the back and x to the patient's left.
    """
    grid = view.volume.grid
    arrays = (view.volume.array, (view.lungs > 0).astype(np.uint8), view.prior, (view.prior_lungs > 0).astype(np.uint8))
    images = [sitk.DICOMOrient(grid.to_image(array), "LPS") for array in arrays]
    oriented = [sitk.GetArrayFromImage(image) for image in images]
    spacing = list(images[0].GetSpacing())[::-1]
    box = bounding_box(oriented[1] | oriented[3])
    assert box is not None, "there are no lungs"
    margins = [round(MARGIN_MM / mm) for mm in spacing]
    crop = tuple(
        slice(max(0, part.start - margin), part.stop + margin) for part, margin in zip(box, margins, strict=True)
    )
    return [array[crop] for array in oriented], spacing


def _middle(lungs: np.ndarray, axis: int) -> int:
    """Return the slice in the middle of the lungs; of the sagittal ones the one with the most lung."""
    amount = lungs.sum(tuple(other for other in range(3) if other != axis), dtype=np.int64)
    return int(amount.argmax() if axis == 2 else np.flatnonzero(amount).mean())


def _squares(one: np.ndarray, other: np.ndarray, spacing: list[float]) -> np.ndarray:
    row, column = ((np.arange(size) * mm // SQUARE_MM).astype(int) for size, mm in zip(one.shape, spacing, strict=True))
    return np.where((row[:, None] + column) % 2 == 0, one, other)


def _panel(hu: np.ndarray, lungs: tuple[np.ndarray, np.ndarray], spacing: list[float]) -> Image.Image:
    """Return a slice in the lung window, true to scale, with the outlines of both lungs."""
    size = (PANEL, max(1, round(PANEL * hu.shape[0] * spacing[0] / (hu.shape[1] * spacing[1]))))
    grey = (255 * (np.clip(hu, LOW, HIGH) - LOW) / (HIGH - LOW)).astype(np.uint8)
    pixels = np.array(Image.fromarray(grey).resize(size, Image.Resampling.BILINEAR).convert("RGB"))
    for mask, colour in zip(lungs, (palette.TARGET, palette.PREDICTION), strict=True):
        inside = np.array(Image.fromarray(255 * mask).resize(size, Image.Resampling.BILINEAR)) > 127
        pixels[inside & ~ndimage.binary_erosion(inside)] = ImageColor.getrgb(colour)
    return Image.fromarray(pixels)


def _page(rows: list[list[Image.Image]], title: str) -> Image.Image:
    """Return the panels with their titles on one page."""
    heights = [row[0].height for row in rows]
    width = len(COLUMNS) * (PANEL + GAP) + GAP
    height = TITLE + LINE + sum(heights) + GAP * len(heights) + LINE
    page = Image.new("RGB", (width, height), palette.BACKGROUND)
    draw = ImageDraw.Draw(page)
    draw.text((GAP, TITLE / 2), title, palette.INK, ImageFont.load_default(18), anchor="lm")
    font = ImageFont.load_default(14)
    top = TITLE + LINE
    for plane, row in zip(PLANES, rows, strict=True):
        for column, picture in enumerate(row):
            page.paste(picture, (GAP + column * (PANEL + GAP), top))
        draw.text((GAP + 5, top + 4), plane, palette.MARK, font, stroke_width=2, stroke_fill="black")
        top += row[0].height + GAP
    for column, text in enumerate(COLUMNS):
        draw.text((GAP + column * (PANEL + GAP), TITLE + LINE / 2), text, palette.INK, font, anchor="lm")
    draw.text((GAP, height - LINE / 2), f"{LEGEND}     {NOT_FOR_DIAGNOSIS}", palette.FAINT_INK, font, anchor="lm")
    return page
