"""The report as files: JSON for programs, CSV for spreadsheets."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

#: Columns of the CSV file; the centre is in RAS, the coordinates that Slicer shows.
NUMBERS = ("volume_ml", "infection_ml", "involvement_percent", "mean_hu", "infection_mean_hu")
CENTRE = ("centre_r_mm", "centre_a_mm", "centre_s_mm")
COLUMNS = ("region", "lung", *NUMBERS, *CENTRE)
REGIONS = {"right": "right lung", "left": "left lung", "both": "both lungs"}


def write_json(path: Path, report: dict[str, Any]) -> None:
    """Write the report of `quantification.quantify` as UTF-8 JSON."""
    text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def write_csv(path: Path, report: dict[str, Any]) -> None:
    """Write one row for each lung, one for both and one for each lesion; what is not known is left empty.

    Of a lesion, `volume_ml` and `mean_hu` are its own. UTF-8 with the mark at the beginning by which Excel knows it.
    """
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, restval="", extrasaction="ignore")
        table.writeheader()
        for lung, region in REGIONS.items():
            table.writerow({"region": region, "lung": lung, **report["lungs"][lung]})
        for lesion in report["lesions"]["list"]:
            centre = dict(zip(CENTRE, lesion["centre_ras_mm"], strict=True))
            table.writerow({**lesion, "region": f"lesion {lesion['number']}", **centre})
