"""The sidebar of the overview: numbers, warnings, lesions, model and CT."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from ...segmentation import LEFT_LUNG, RIGHT_LUNG, Segmentation
from ...volume import Volume
from .. import palette
from .layout import HEADER, SIDEBAR, SIZE

#: Left and right border of the text, in pixels.
LEFT, RIGHT = SIZE[0] - SIDEBAR + 16, SIZE[0] - 16
#: Characters of a line of text, and its height in pixels.
LINE_CHARACTERS, LINE_HEIGHT = 48, 19
#: Lesions that are listed.
LISTED_LESIONS = 5


class Section(NamedTuple):
    """Lines of text below a heading."""

    heading: str
    lines: list[str]
    colour: str = palette.INK


class _Writer:
    """Writes text into the figure from top to bottom.

    Attributes:
        top: Where the next line is written, in pixels from the top.
    """

    def __init__(self, figure: Figure) -> None:
        self._figure = figure
        self.top = HEADER + 12.0

    def write(
        self, text: str, x: float, size: float, colour: str = palette.INK, weight: str = "normal", align: str = "left"
    ) -> None:
        """Write a text at a position x in pixels, without moving down."""
        self._figure.text(
            x / SIZE[0], 1 - self.top / SIZE[1], text, color=colour, fontsize=size, weight=weight, ha=align, va="top"
        )


def draw_sidebar(figure: Figure, volume: Volume, segmentation: Segmentation, report: Mapping[str, Any]) -> None:
    """Draw the numbers and the sections of text."""
    writer = _Writer(figure)
    _write_numbers(writer, report.get("lungs") or {})
    for section in (
        _warnings(volume, segmentation, report),
        _lesions(report.get("lesions") or {}),
        _model({**segmentation.provenance, **(report.get("provenance") or {})}),
        _ct(volume),
    ):
        _write_section(writer, section)


def _write_numbers(writer: _Writer, lungs: Mapping[str, Any]) -> None:
    """Write the involvement and a table of volumes."""
    involvement = _number((lungs.get("both") or {}).get("involvement_percent"), 1)
    writer.write(f"{involvement} %", LEFT, 34, palette.INFECTION, "bold")
    writer.top += 52
    writer.write("of the lungs infected", LEFT, 12, palette.FAINT_INK)
    writer.top += 34
    columns = (
        ("Lung ml", "volume_ml", 0, palette.FAINT_INK, RIGHT - 215),
        ("Infection ml", "infection_ml", 1, palette.INFECTION, RIGHT - 110),
        ("Infected %", "involvement_percent", 1, palette.FAINT_INK, RIGHT),
    )
    for heading, _, _, colour, x in columns:
        writer.write(heading, x, 10, colour, align="right")
    writer.top += 24
    for side, name, colour in (
        ("right", "Right lung", palette.RIGHT_LUNG),
        ("left", "Left lung", palette.LEFT_LUNG),
        ("both", "Both", palette.INK),
    ):
        writer.write(name, LEFT, 12.5, colour, "bold")
        for _, key, decimals, _, x in columns:
            writer.write(_number((lungs.get(side) or {}).get(key), decimals), x, 12.5, align="right")
        writer.top += 27
    writer.top += 8


def _write_section(writer: _Writer, section: Section) -> None:
    """Write a section, shortened if it does not fit."""
    writer.write(section.heading, LEFT, 11, palette.FAINT_INK, "bold")
    writer.top += 22
    room = int((SIZE[1] - 40 - writer.top) // LINE_HEIGHT)
    lines = [part for line in section.lines for part in textwrap.wrap(line, LINE_CHARACTERS, subsequent_indent="   ")]
    for line in [*lines[: room - 1], "... more in the report"] if len(lines) > room else lines:
        writer.write(line, LEFT, 10.5, section.colour)
        writer.top += LINE_HEIGHT
    writer.top += 12


def _warnings(volume: Volume, segmentation: Segmentation, report: Mapping[str, Any]) -> Section:
    warnings = list(dict.fromkeys([*volume.warnings, *segmentation.warnings, *(report.get("warnings") or [])]))
    lungs = (("right", RIGHT_LUNG), ("left", LEFT_LUNG))
    if missing := [name for name, label in lungs if not _contains(segmentation.lungs, label)]:
        warnings.insert(0, f"No {' and no '.join(missing)} lung was found.")
    lines = [f"\u2022 {warning}" for warning in warnings] or ["None"]
    return Section("WARNINGS", lines, palette.WARNING if warnings else palette.INK)


def _contains(labels: np.ndarray, label: int) -> bool:
    """Return whether a label map contains a label, slice by slice to save memory."""
    return any((section == label).any() for section in labels)


def _lesions(lesions: Mapping[str, Any]) -> Section:
    largest_first = sorted(lesions.get("list") or [], key=lambda lesion: -(lesion.get("volume_ml") or 0))
    if not largest_first:
        return Section("LESIONS", ["None"])
    lines = [f"{lesions.get('count', len(largest_first))} in all, the largest:"]
    for lesion in largest_first[:LISTED_LESIONS]:
        lines.append(
            f"No. {lesion.get('number', '-')}: {_number(lesion.get('volume_ml'), 1)} ml, "
            f"{lesion.get('lung') or '-'} lung, mean {_number(lesion.get('mean_hu'), 0)} HU"
        )
    return Section("LESIONS", lines)


def _model(provenance: Mapping[str, Any]) -> Section:
    model = provenance.get("model") or {}
    model = model if isinstance(model, Mapping) else {"name": str(model)}
    lines = [" ".join(str(model[key]) for key in ("name", "version") if model.get(key)) or "not stated"]
    lines += [f"SHA-256 {str(model['sha256'])[:16]}..."] if model.get("sha256") else []
    lines += [f"Run on {provenance['device']}"] if provenance.get("device") else []
    return Section("MODEL", lines)


def _ct(volume: Volume) -> Section:
    z, y, x = volume.grid.shape
    lines = [f"{x} x {y} x {z} voxels of {' x '.join(f'{s:.3g}' for s in volume.grid.spacing)} mm"]
    tilt = np.degrees(np.arccos(np.clip(np.abs(np.reshape(volume.grid.direction, (3, 3))).max(0).min(), 0, 1)))
    lines += [f"Slices lie up to {tilt:.0f}\u00b0 off the patient's axes"] if tilt > 0.5 else []
    lines += [
        f"{key.replace('_', ' ')}: {value}"
        for key, value in volume.source.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool) and len(str(value)) < 40
    ]
    return Section("CT", lines)


def _number(value: float | None, decimals: int) -> str:
    """Format a number with thousands separators; a dash if there is none."""
    return "-" if value is None or not np.isfinite(value) else f"{value:,.{decimals}f}"
