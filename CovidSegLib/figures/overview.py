"""One picture that shows at a glance whether a result can be trusted: slices with outlines, 3D views, numbers."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from skimage.measure import label, regionprops
from vtkmodules.vtkCommonDataModel import vtkPolyData

from ..notices import NOT_FOR_DIAGNOSIS
from ..segmentation import LEFT_LUNG, RIGHT_LUNG, Segmentation
from ..storage.atomic import write_atomically
from ..volume import Volume
from . import palette
from .rendering import VIEWS, Rendering

LEVEL, WIDTH = -600.0, 1500.0
SYNTHETIC = "SYNTHETIC PHANTOM - not a patient"
UNTRAINED = "UNTRAINED - the masks mean nothing"
NO_3D = "3D view not available on this machine"
NO_SURFACES = "No surfaces, no 3D view"

#: Pixels: the whole picture, the column of numbers at its right, the band at its top, and the three rows of pictures.
SIZE = (1800, 1200)
SIDEBAR, HEADER = 430, 50
LARGE, SMALL, VIEW = (HEADER + 22, 420), (HEADER + 456, 196), (HEADER + 852, 296)
COLUMNS = 5
#: Keeps a mark legible on white.
STROKE = withStroke(linewidth=2.5, foreground="black")
OUTLINES = {"right": palette.RIGHT_LUNG, "left": palette.LEFT_LUNG, "infection": palette.INFECTION}


def draw_overview(
    path: Path,
    volume: Volume,
    segmentation: Segmentation,
    report: Mapping[str, Any],
    surfaces: Mapping[str, vtkPolyData] | None = None,
) -> None:
    """Write the overview as a PNG of 1800 x 1200 pixels.

    Args:
        path: The file to write.
        volume: The CT.
        segmentation: Lungs and infection on the CT's grid.
        report: The numbers as `quantification` makes them; what is missing or None is shown as a dash.
        surfaces: Closed surfaces in LPS mm by name ("lungs" or "right_lung" and "left_lung", "infection"), or None.
    """
    canvas = FigureCanvasAgg(overview_figure(volume, segmentation, report, surfaces))
    write_atomically(path, lambda temporary: canvas.print_png(str(temporary)))


def overview_figure(
    volume: Volume,
    segmentation: Segmentation,
    report: Mapping[str, Any],
    surfaces: Mapping[str, vtkPolyData] | None = None,
) -> Figure:
    """The overview as a matplotlib figure; arguments as of `draw_overview`."""
    rendering = None
    if surfaces and any(surface.GetNumberOfCells() for surface in surfaces.values()):
        # A child process renders while this one draws the slices.
        rendering = Rendering(surfaces, ((SIZE[0] - SIDEBAR) // len(VIEWS), VIEW[1]))
    try:
        figure = Figure(figsize=(SIZE[0] / 100, SIZE[1] / 100), dpi=100, facecolor=palette.BACKGROUND)
        _draw_header(figure, _banner(volume, segmentation))
        _draw_slices(figure, _Scan.of(volume, segmentation))
        _draw_sidebar(figure, volume, segmentation, report)
        pictures = rendering.pictures() if rendering else None
    finally:
        if rendering:
            rendering.close()
    _draw_views(figure, pictures, NO_3D if rendering else NO_SURFACES)
    return figure


@dataclass(frozen=True)
class _Scan:
    """CT and masks with the axes turned the way they are shown: z to the head, y to the back, x to the left.

    Attributes:
        hu: (z, y, x), in HU.
        masks: Boolean (z, y, x) by the names of `OUTLINES`.
        spacing: mm along (z, y, x).
        image: What knows where a voxel lies.
        rows: The slice of y that holds the body.
        columns: The slice of x that holds the body.
    """

    hu: np.ndarray
    masks: dict[str, np.ndarray]
    spacing: tuple[float, float, float]
    image: sitk.Image
    rows: slice
    columns: slice

    @classmethod
    def of(cls, volume: Volume, segmentation: Segmentation) -> _Scan:
        """Turn a CT and its segmentation, whatever way their grid lies."""
        image = sitk.DICOMOrient(volume.to_image(), "LPS")
        packed = segmentation.lungs | (segmentation.infection.astype(np.uint8) << 2)
        labels = sitk.GetArrayFromImage(sitk.DICOMOrient(volume.grid.to_image(packed), "LPS"))
        masks = {"right": labels & 3 == RIGHT_LUNG, "left": labels & 3 == LEFT_LUNG, "infection": labels > 3}
        hu = sitk.GetArrayViewFromImage(image)
        rows, columns = _body(hu, labels > 0)
        x, y, z = image.GetSpacing()
        return cls(hu, masks, (z, y, x), image, rows, columns)

    def most(self, axis: int) -> int:
        """The index along `axis` (0 z, 1 y, 2 x) with most infection, or most lung, or the middle."""
        others = tuple(a for a in range(3) if a != axis)
        infection = self.masks["infection"].sum(others)
        if infection.any():
            return int(infection.argmax())
        lungs = (self.masks["right"] | self.masks["left"]).sum(others)
        return int(lungs.argmax()) if lungs.any() else self.hu.shape[axis] // 2

    def levels(self, count: int) -> list[int]:
        """`count` slices along z from the apex of the lungs to their base, or through everything without lungs."""
        lungs = np.flatnonzero((self.masks["right"] | self.masks["left"]).any((1, 2)))
        top, base = (lungs[-1], lungs[0]) if len(lungs) else (self.hu.shape[0] - 1, 0)
        share = (np.arange(count) + 0.5) / count
        return [round(float(top - s * (top - base))) for s in share]

    def position(self, axis: int, index: int) -> str:
        """Where a slice lies, as Slicer shows it: the side of the patient and the distance in mm from the origin."""
        voxel = [n / 2 for n in self.image.GetSize()]
        voxel[2 - axis] = float(index)
        lps = self.image.TransformContinuousIndexToPhysicalPoint(voxel)[2 - axis]
        return f"{(('R', 'L'), ('A', 'P'), ('I', 'S'))[2 - axis][int(lps > 0)]} {abs(lps):.0f} mm"


def _body(hu: np.ndarray, mask: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns that hold the body and every labelled voxel, with a margin; the table is left out."""
    step = max(1, hu.shape[1] // 128)
    shadow = (hu[:: max(1, len(hu) // 32), ::step, ::step] > -500).mean(0) > 0.3
    parts = regionprops(label(shadow))
    rows, columns = np.nonzero(mask.any(0))
    boxes = [(rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)] if len(rows) else []
    if parts:
        boxes.append(tuple(step * b for b in max(parts, key=lambda part: part.area).bbox))
    if not parts:
        return slice(0, hu.shape[1]), slice(0, hu.shape[2])
    low, high = np.min(boxes, axis=0)[:2] - 2 * step, np.max(boxes, axis=0)[2:] + 2 * step
    return slice(max(low[0], 0), min(high[0], hu.shape[1])), slice(max(low[1], 0), min(high[1], hu.shape[2]))


def _axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place in pixels from the upper left corner of the picture."""
    axes = figure.add_axes(
        (left / SIZE[0], 1 - (top + height) / SIZE[1], width / SIZE[0], height / SIZE[1]), facecolor=palette.PANEL
    )
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def _draw_slices(figure: Figure, scan: _Scan) -> None:
    width = SIZE[0] - SIDEBAR
    fifth = width / COLUMNS
    levels = scan.levels(2 * COLUMNS)
    through = "most infection" if scan.masks["infection"].any() else "no infection found"
    left = 0.0
    for axis, name, marks, share in (
        (0, "Axial", "RLAP", 0.4),
        (1, "Coronal", "RLHF", 0.31),
        (2, "Sagittal", "APHF", 0.29),
    ):
        index, room = scan.most(axis), share * width
        figure.text(
            (left + 8) / SIZE[0],
            1 - (HEADER + 10) / SIZE[1],
            f"{name}  {scan.position(axis, index)}, {through}",
            color=palette.INK,
            fontsize=10.5,
            va="center",
        )
        axes = _axes(figure, left + 3, LARGE[0], room - 6, LARGE[1])
        left += room
        _draw_slice(axes, scan, axis, index, marks, 1.3)
        if axis:
            # Where the axial slices below lie.
            for number, level in enumerate(levels, 1):
                height = (scan.hu.shape[0] - level - 0.5) * scan.spacing[0]
                axes.plot(
                    [0.965, 1],
                    [height] * 2,
                    transform=axes.get_yaxis_transform(),
                    color=palette.MARK,
                    lw=1,
                    path_effects=[STROKE],
                )
                axes.text(
                    0.955,
                    height,
                    str(number),
                    transform=axes.get_yaxis_transform(),
                    color=palette.MARK,
                    fontsize=8,
                    ha="right",
                    va="center",
                    clip_on=True,
                    path_effects=[STROKE],
                )
    for place, index in enumerate(levels):
        top = SMALL[0] + place // COLUMNS * (SMALL[1] + 2)
        axes = _axes(figure, place % COLUMNS * fifth + 2, top, fifth - 4, SMALL[1])
        _draw_slice(axes, scan, 0, index, "RL", 0.9)
        _caption(axes, f"{place + 1}   {scan.position(0, index)}")


def _draw_slice(axes: Axes, scan: _Scan, axis: int, index: int, marks: str, line: float) -> None:
    """One slice in the lung window with its outlines and marks (left, right, top, bottom), true to scale."""
    crop: list[Any] = [slice(None, None, -1), scan.rows, scan.columns]
    crop[axis] = index
    rows, columns = (scan.spacing[a] for a in range(3) if a != axis)
    picture = scan.hu[tuple(crop)]
    height, width = picture.shape
    axes.imshow(
        picture,
        cmap="gray",
        vmin=LEVEL - WIDTH / 2,
        vmax=LEVEL + WIDTH / 2,
        interpolation="bilinear",
        extent=(0, width * columns, height * rows, 0),
        aspect="equal",
    )
    axes.set_anchor("N")
    # A frame of one voxel, so that a mask that touches the border is outlined there too.
    x, y = (np.arange(width + 2) - 0.5) * columns, (np.arange(height + 2) - 0.5) * rows
    for name, colour in OUTLINES.items():
        mask = scan.masks[name][tuple(crop)]
        if mask.any():
            axes.contour(x, y, np.pad(mask.astype(np.float32), 1), levels=[0.5], colors=[colour], linewidths=line)
    axes.set_xlim(0, width * columns)
    axes.set_ylim(height * rows, 0)
    places = (
        (0.012, 0.5, "left", "center"),
        (0.988, 0.5, "right", "center"),
        (0.5, 0.985, "center", "top"),
        (0.5, 0.015, "center", "bottom"),
    )
    for mark, (left, top, across, along) in zip(marks, places, strict=False):
        axes.text(
            left,
            top,
            mark,
            transform=axes.transAxes,
            color=palette.MARK,
            fontsize=11,
            weight="bold",
            ha=across,
            va=along,
            path_effects=[STROKE],
        )


def _caption(axes: Axes, text: str) -> None:
    axes.text(
        0.012,
        0.985,
        text,
        transform=axes.transAxes,
        color=palette.INK,
        fontsize=9,
        ha="left",
        va="top",
        bbox={"facecolor": palette.PANEL, "edgecolor": "none", "alpha": 0.6, "pad": 1.5},
    )


def _draw_views(figure: Figure, pictures: Mapping[str, np.ndarray] | None, otherwise: str) -> None:
    (top, height), width = VIEW, (SIZE[0] - SIDEBAR) / len(VIEWS)
    if pictures is None:
        axes = _axes(figure, 3, top, SIZE[0] - SIDEBAR - 6, height)
        axes.text(
            0.5, 0.5, otherwise, transform=axes.transAxes, color=palette.WARNING, fontsize=16, ha="center", va="center"
        )
        return
    for place, (name, (_, (left, right))) in enumerate(VIEWS.items()):
        axes = _axes(figure, place * width, top, width, height)
        axes.imshow(pictures[name], aspect="equal", interpolation="bilinear")
        _caption(axes, name)
        for where, mark, side in ((0.02, left, "left"), (0.98, right, "right")):
            axes.text(
                where,
                0.5,
                mark,
                transform=axes.transAxes,
                color=palette.MARK,
                fontsize=11,
                weight="bold",
                ha=side,
                va="center",
            )


def _banner(volume: Volume, segmentation: Segmentation) -> str:
    """What nobody may overlook: no patient, or no model."""
    synthetic = any("synthetic" in str(value).lower() for value in volume.source.values())
    model = segmentation.provenance.get("model")
    untrained = isinstance(model, Mapping) and model.get("trained") is False
    return "    ".join([SYNTHETIC] * synthetic + [UNTRAINED] * untrained)


def _draw_header(figure: Figure, banner: str) -> None:
    middle = 1 - HEADER / 2 / SIZE[1]
    figure.text(0.008, middle, "CovidSeg", color=palette.INK, fontsize=20, weight="bold", va="center")
    figure.text(0.098, middle, "lungs and infection in chest CT", color=palette.FAINT_INK, fontsize=12, va="center")
    figure.text(
        0.992, middle, NOT_FOR_DIAGNOSIS, color=palette.WARNING, fontsize=15, weight="bold", ha="right", va="center"
    )
    if banner:
        figure.text(
            0.53,
            middle,
            banner,
            color="black",
            fontsize=13,
            weight="bold",
            ha="center",
            va="center",
            bbox={"facecolor": palette.MARK, "edgecolor": "none", "pad": 5},
        )


def _draw_sidebar(figure: Figure, volume: Volume, segmentation: Segmentation, report: Mapping[str, Any]) -> None:
    """The numbers, the model, the series and the warnings."""
    left, right = SIZE[0] - SIDEBAR + 16, SIZE[0] - 16
    top = HEADER + 12.0

    def write(
        text: str, x: float, size: float, colour: str = palette.INK, weight: str = "normal", align: str = "left"
    ) -> None:
        figure.text(
            x / SIZE[0], 1 - top / SIZE[1], text, color=colour, fontsize=size, weight=weight, ha=align, va="top"
        )

    lungs = report.get("lungs") or {}
    write(f"{_number((lungs.get('both') or {}).get('involvement_percent'), 1)} %", left, 34, palette.INFECTION, "bold")
    top += 52
    write("of the lungs infected", left, 12, palette.FAINT_INK)
    top += 34
    columns = (right - 215, right - 110, right)
    for heading, x, colour in zip(
        ("Lung ml", "Infection ml", "Infected %"),
        columns,
        (palette.FAINT_INK, palette.INFECTION, palette.FAINT_INK),
        strict=True,
    ):
        write(heading, x, 10, colour, align="right")
    top += 24
    for side, name, colour in (
        ("right", "Right lung", palette.RIGHT_LUNG),
        ("left", "Left lung", palette.LEFT_LUNG),
        ("both", "Both", palette.INK),
    ):
        write(name, left, 12.5, colour, "bold")
        for key, x in zip(("volume_ml", "infection_ml", "involvement_percent"), columns, strict=True):
            value = (lungs.get(side) or {}).get(key)
            write(_number(value, 0 if key == "volume_ml" else 1), x, 12.5, align="right")
        top += 27
    top += 8
    for heading, lines, colour in _facts(volume, segmentation, report):
        write(heading, left, 11, palette.FAINT_INK, "bold")
        top += 22
        room = int((SIZE[1] - 40 - top) // 19)
        wrapped = [part for line in lines for part in textwrap.wrap(line, 52, subsequent_indent="   ")]
        for line in [*wrapped[: room - 1], "... more in the report"] if len(wrapped) > room else wrapped:
            write(line, left, 10.5, colour)
            top += 19
        top += 12


def _facts(
    volume: Volume, segmentation: Segmentation, report: Mapping[str, Any]
) -> Iterable[tuple[str, list[str], str]]:
    """Headings with their lines and colour."""
    warnings = list(dict.fromkeys([*volume.warnings, *segmentation.warnings, *(report.get("warnings") or [])]))
    if not (segmentation.lungs == RIGHT_LUNG).any() or not (segmentation.lungs == LEFT_LUNG).any():
        missing = [n for n, v in (("right", RIGHT_LUNG), ("left", LEFT_LUNG)) if not (segmentation.lungs == v).any()]
        warnings.insert(0, f"No {' and no '.join(missing)} lung was found.")
    yield (
        "WARNINGS",
        [f"\u2022 {warning}" for warning in warnings] or ["None"],
        palette.WARNING if warnings else palette.INK,
    )
    lesions = report.get("lesions") or {}
    listed = sorted(lesions.get("list") or [], key=lambda lesion: -(lesion.get("volume_ml") or 0))
    lines = [f"{lesions.get('count', len(listed))} in all, the largest:"] if listed else ["None"]
    for lesion in listed[:5]:
        lines.append(
            f"No. {lesion.get('number', '-')}: {_number(lesion.get('volume_ml'), 1)} ml, "
            f"{lesion.get('lung') or '-'} lung, mean {_number(lesion.get('mean_hu'), 0)} HU"
        )
    yield "LESIONS", lines, palette.INK
    provenance = {**segmentation.provenance, **(report.get("provenance") or {})}
    model = provenance.get("model") or {}
    model = model if isinstance(model, Mapping) else {"name": str(model)}
    lines = [" ".join(str(model[key]) for key in ("name", "version") if model.get(key)) or "not stated"]
    lines += [f"SHA-256 {str(model['sha256'])[:16]}..."] if model.get("sha256") else []
    lines += [f"Run on {provenance['device']}"] if provenance.get("device") else []
    yield "MODEL", lines, palette.INK
    z, y, x = volume.grid.shape
    lines = [f"{x} x {y} x {z} voxels of {' x '.join(f'{s:.3g}' for s in volume.grid.spacing)} mm"]
    tilt = np.degrees(np.arccos(np.clip(np.abs(np.reshape(volume.grid.direction, (3, 3))).max(0).min(), 0, 1)))
    lines += [f"Slices lie up to {tilt:.0f}\u00b0 off the patient's axes"] if tilt > 0.5 else []
    lines += [
        f"{key.replace('_', ' ')}: {value}"
        for key, value in volume.source.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool) and len(str(value)) < 40
    ]
    yield "CT", lines, palette.INK


def _number(value: float | None, digits: int) -> str:
    """A number with its thousands apart, or a dash."""
    return "-" if value is None or not np.isfinite(value) else f"{value:,.{digits}f}"
