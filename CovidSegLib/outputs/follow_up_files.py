"""Writes all files of a comparison of two CTs."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..figures.registration_fit import FitView, draw_fit
from ..followup import FollowUp, report_of
from ..followup.timeline import Point
from ..progress import Progress, silent
from ..segmentation import Segmentation
from ..storage.staging import check_writable, staged_files
from .change_segments import write_change_segments
from .report_files import write_json
from .seg_nrrd import write_seg_nrrd
from .writing import write_image

#: Names of the files. The keys are those of `files` in the report.
FOLLOW_UP_FILES = {
    "prior_ct": "prior_ct.nii.gz",
    "changes": "changes.seg.nrrd",
    "report": "follow-up.json",
    "lesions": "lesions.csv",
    "regions": "regions.csv",
    "fit": "fit.png",
    "trend": "trend.png",
}
#: Masks that were made for the comparison, each on the grid of its own CT.
MASK_FILES = {"current": "current.seg.nrrd", "prior": "prior.seg.nrrd"}
_NAMES = (*FOLLOW_UP_FILES.values(), *MASK_FILES.values())
LESION_COLUMNS = (
    "number",
    "change",
    "lung",
    "zone",
    "prior_ml",
    "current_ml",
    "difference_ml",
    "difference_percent",
    "inside_r_mm",
    "inside_a_mm",
    "inside_s_mm",
)


def prepare_follow_up(out: Path, *, overwrite: bool = False) -> None:
    """Check before a long run that its results can be written. Nothing is left behind.

    Raises:
        InputError: `out` is a file, cannot be created or written, its disk is full, or it contains an earlier
            comparison.
    """
    check_writable(out, _NAMES, overwrite=overwrite)


def write_follow_up(
    out: Path,
    follow: FollowUp,
    *,
    earlier: Mapping[str, Sequence[Point]] | None = None,
    masks: Mapping[str, Segmentation] | None = None,
    dates: bool = True,
    trend: bool = True,
    overwrite: bool = False,
    progress: Progress = silent,
) -> list[Path]:
    """Write a comparison to a folder, or nothing: after any exception the folder is as it was before.

    Args:
        out: Folder for the results. Created if it does not exist. Other files in it are not touched.
        follow: The comparison.
        earlier: Timelines of earlier comparisons, by name; see `followup.timeline.joined`.
        masks: Masks to write too, by "current" and "prior".
        dates: Whether the files may state the dates of the CTs.
        trend: Whether to draw the trend.
        overwrite: Replace an earlier comparison in `out`.
        progress: Receives the stage and the fraction done. May raise `Cancelled`.

    Returns:
        Paths of the written files.

    Raises:
        InputError: The folder cannot be written, its disk is full, or it contains an earlier comparison; or see
            `followup.report_of`.
        Cancelled: Raised by `progress`.
    """
    grid, current = follow.current.volume.grid, follow.current
    with staged_files(out, _NAMES, overwrite=overwrite) as folder:
        report = report_of(follow, earlier, dates=dates)
        report["files"] = FOLLOW_UP_FILES | {
            f"{name}_masks": MASK_FILES[name] if name in (masks or {}) else None for name in MASK_FILES
        }
        if not trend:
            report["files"]["trend"] = None
        progress("Saving the earlier CT", 0.0)
        write_image(folder / FOLLOW_UP_FILES["prior_ct"], follow.prior_volume.to_image())
        progress("Saving the lesions", 0.5)
        write_change_segments(folder / FOLLOW_UP_FILES["changes"], follow.comparison, grid)
        for name, segmentation in (masks or {}).items():
            write_seg_nrrd(folder / MASK_FILES[name], segmentation)
        progress("Saving the report", 0.7)
        write_json(folder / FOLLOW_UP_FILES["report"], report)
        _write_csv(folder / FOLLOW_UP_FILES["lesions"], LESION_COLUMNS, map(_lesion_row, report["lesions"]["list"]))
        _write_csv(folder / FOLLOW_UP_FILES["regions"], *_region_rows(report["regions"]))
        progress("Drawing the fit", 0.75)
        view = FitView(
            current.volume,
            current.segmentation.lungs,
            follow.prior_volume.array,
            follow.prior_lungs,
        )
        draw_fit(folder / FOLLOW_UP_FILES["fit"], view, follow.registration.lung_dice)
        if trend:
            from ..figures.trend import draw_trend  # loads matplotlib, which 3D Slicer lacks

            draw_trend(folder / FOLLOW_UP_FILES["trend"], report["timeline"])
        # The last opportunity to cancel.
        progress("Saving the results", 1.0)
    return [out / name for name in report["files"].values() if name is not None]


def _write_csv(path: Path, columns: Sequence[str], rows: Any) -> None:
    """Write a table as UTF-8 with a byte order mark, by which Excel recognises the encoding. None is empty."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.DictWriter(file, columns, restval="", extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)


def _lesion_row(lesion: dict[str, Any]) -> dict[str, Any]:
    place = lesion["inside_ras_mm"] or (None, None, None)
    return {**lesion, **dict(zip(LESION_COLUMNS[-3:], place, strict=True))}


def _region_rows(regions: Sequence[dict[str, Any]]) -> tuple[list[str], list[dict[str, Any]]]:
    sides = ("prior", "current", "difference")
    columns = [f"{side}_{name}" for name in regions[0]["current"] for side in sides]
    rows = [
        {
            "region": region["region"],
            **{f"{side}_{name}": region[side][name] for side in sides for name in region[side]},
        }
        for region in regions
    ]
    return ["region", *columns], rows
