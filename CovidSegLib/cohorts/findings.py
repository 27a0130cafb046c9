"""The rows of a case and its lesions, from the files that `covidseg segment` writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..outputs.names import FILES
from ..outputs.report_files import CENTRE, NUMBERS, REGIONS
from ..outputs.stored_result import read_masks, read_report
from ..quantification.six_zones import six_zone_severity
from ..segmenting import DICOM_FOLDER, SegmentedScan, SegmentOptions
from ..storage.staging import PREFIX
from ..volume import Grid
from .cases import Finding


def stored_finding(folder: Path) -> Finding:
    """Measure a result on disk.

    Raises:
        InputError: Its files are damaged.
    """
    masks = read_masks(folder / FILES["segmentation"])
    return _finding(read_report(folder / FILES["report"]), masks.lungs, masks.infection, masks.grid)


def finding_of(scan: SegmentedScan, folder: Path) -> Finding:
    """Return the rows of a scan that was segmented just now into a folder."""
    masks = scan.segmentation
    return _finding(read_report(folder / FILES["report"]), masks.lungs, masks.infection, masks.grid)


def is_complete(folder: Path, options: SegmentOptions) -> bool:
    """Return whether a folder holds all files of a result. A killed process may leave some of them."""
    report_file = folder / FILES["report"]
    if not report_file.is_file():
        return False
    files = read_report(report_file).get("files") or {}
    expected = [folder / name for name in files.values() if name]
    expected += [folder / "report.html", folder / "report.pdf"] if options.report else []
    expected += [folder / "viewer.html"] if options.viewer else []
    expected += [folder / DICOM_FOLDER / "segmentation.dcm"] if options.dicom else []
    return all(path.is_file() for path in expected)


def model_of(folder: Path) -> str | None:
    """Return the SHA-256 of the weights that made the result in a folder."""
    model = (read_report(folder / FILES["report"]).get("provenance") or {}).get("model")
    return model.get("sha256") if isinstance(model, Mapping) else None


def leftovers(folder: Path) -> list[Path]:
    """Return the temporary folders that killed processes have left in the folder of a case."""
    return sorted(folder.glob(f"{PREFIX}*"))


def _finding(report: Mapping[str, Any], lungs: np.ndarray, infection: np.ndarray, grid: Grid) -> Finding:
    lesions = report["lesions"]["list"]
    severity = six_zone_severity(lungs, infection, grid)
    provenance = report["provenance"]
    return Finding(
        numbers={
            **{f"{lung}_{number}": report["lungs"][lung][number] for lung in REGIONS for number in NUMBERS},
            "lesion_count": report["lesions"]["count"],
            "largest_lesion_ml": lesions[0]["volume_ml"] if lesions else None,
            "severity": severity.score,
            "severity_maximum": severity.maximum,
            "slices": grid.shape[0],
            "slice_mm": float(grid.spacing[2]),
        },
        lesions=[{**lesion, **dict(zip(CENTRE, lesion["centre_ras_mm"], strict=True))} for lesion in lesions],
        model=provenance["model"]["name"],
        model_sha256=provenance["model"]["sha256"],
        covidseg_version=provenance["versions"]["covidseg"],
        device=provenance["device"],
        warnings=report["warnings"],
    )
