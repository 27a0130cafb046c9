"""The pictures of a report: slices with outlines, and the surfaces. Pillow draws them, which 3D Slicer has too."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..figures import palette
from ..figures.oriented_scan import OrientedScan
from ..figures.outlines import outlines_of
from ..figures.rendering import VIEWS, Rendering
from ..segmentation import Segmentation
from ..surfaces.closed_surfaces import closed_surface
from ..volume import Volume
from .fonts import REGULAR

#: Lung window in HU.
LOW, HIGH = -1350.0, 150.0
#: Height of a picture in pixels.
HEIGHT = 460
#: Pictures are drawn larger by this factor and then reduced, which smooths the outlines.
OVERSAMPLING = 2
#: Outlines by mask, and their colours.
OUTLINES = {"right": palette.RIGHT_LUNG, "left": palette.LEFT_LUNG, "infection": palette.INFECTION}
#: Voxels are averaged in blocks of this size before the surfaces of a picture are computed.
BLOCK_MM = {"lungs": 4.0, "infection": 2.5}
#: Views in the report, from those of `rendering.VIEWS`.
SHOWN_VIEWS = ("From the front", "From the left", "From the back")
#: Axial slices from apex to base.
LEVELS = 6


@dataclass(frozen=True)
class Picture:
    """A picture with its caption.

    Attributes:
        title: Caption.
        jpeg: The picture.
        size: Width and height in pixels.
    """

    title: str
    jpeg: bytes
    size: tuple[int, int]


@dataclass(frozen=True)
class Pictures:
    """The pictures of a report.

    Attributes:
        planes: The axial and the coronal slice with the most infection.
        levels: Axial slices from apex to base.
        views: 3D views; empty if this machine cannot render, or if there are no lungs.
    """

    planes: tuple[Picture, ...]
    levels: tuple[Picture, ...]
    views: tuple[Picture, ...]


def draw_pictures(volume: Volume, segmentation: Segmentation) -> Pictures:
    """Draw all pictures.

    Args:
        volume: The CT.
        segmentation: Its masks.
    """
    surfaces = {
        name: surface
        for name, mask in (("lungs", segmentation.lungs), ("infection", segmentation.infection))
        if (surface := closed_surface(mask, segmentation.grid, BLOCK_MM[name])) is not None
    }
    # A child process renders while this process draws the slices.
    rendering = Rendering(surfaces, (HEIGHT, HEIGHT)) if surfaces else None
    try:
        scan = OrientedScan.of(volume, segmentation)
        most = "most infection" if scan.infection.any() else "no infection found"
        axial, coronal = scan.best_index(0), scan.best_index(1)
        planes = (
            _slice(scan, 0, axial, "RLAP", f"Axial, {scan.position(0, axial)}, {most}"),
            _slice(scan, 1, coronal, "RLHF", f"Coronal, {scan.position(1, coronal)}, {most}"),
        )
        levels = tuple(
            _slice(scan, 0, index, "RL", f"Axial {number}, {scan.position(0, index)}")
            for number, index in enumerate(scan.spread_indices(LEVELS), start=1)
        )
        rendered = rendering.pictures() if rendering else None
    finally:
        if rendering:
            rendering.close()
    views = tuple(_view(name, rendered[name]) for name in SHOWN_VIEWS) if rendered else ()
    return Pictures(planes, levels, views)


def _slice(scan: OrientedScan, axis: int, index: int, directions: str, title: str) -> Picture:
    """Draw a slice in the lung window, true to scale, with outlines and the letters of the patient's sides."""
    crop: list[slice | int] = [slice(None, None, -1), scan.rows, scan.columns]
    crop[axis] = index
    hu = scan.hu[tuple(crop)]
    row_mm, column_mm = (scan.spacing[a] for a in range(3) if a != axis)
    rows, columns = hu.shape
    height = HEIGHT * OVERSAMPLING
    width = max(1, round(height * columns * column_mm / (rows * row_mm)))
    grey = np.clip((hu.astype(np.float32) - LOW) * (255 / (HIGH - LOW)), 0, 255).astype(np.uint8)
    picture = Image.fromarray(grey).resize((width, height), Image.Resampling.BICUBIC).convert("RGB")
    draw = ImageDraw.Draw(picture)
    for name, colour in OUTLINES.items():
        _outline(draw, scan.mask(name, tuple(crop)), (width / columns, height / rows), colour)
    picture = picture.resize((max(1, width // OVERSAMPLING), HEIGHT), Image.Resampling.BOX)
    _letters(picture, directions)
    return _encoded(picture, title)


def _outline(draw: ImageDraw.ImageDraw, mask: np.ndarray, scale: tuple[float, float], colour: str) -> None:
    for line in outlines_of(mask):
        points = [((x + 0.5) * scale[0], (y + 0.5) * scale[1]) for y, x in line]
        draw.line(points, fill=colour, width=round(1.5 * OVERSAMPLING), joint="curve")


def _letters(picture: Image.Image, directions: str) -> None:
    """Write the letters of the patient's sides at the left, right, top and bottom border."""
    width, height = picture.size
    places = ((6, height / 2, "lm"), (width - 6, height / 2, "rm"), (width / 2, 4, "ma"), (width / 2, height - 4, "md"))
    draw = ImageDraw.Draw(picture)
    font = ImageFont.truetype(str(REGULAR), 18)
    for letter, (x, y, anchor) in zip(directions, places, strict=False):
        draw.text((x, y), letter, palette.MARK, font, anchor, stroke_width=2, stroke_fill="black")


def _view(name: str, pixels: np.ndarray) -> Picture:
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    _letters(picture, VIEWS[name].left + VIEWS[name].right)
    return _encoded(picture, name)


def _encoded(picture: Image.Image, title: str) -> Picture:
    content = io.BytesIO()
    # Without subsampling, coloured outlines stay sharp.
    picture.save(content, "JPEG", quality=88, subsampling=0)
    return Picture(title, content.getvalue(), picture.size)
