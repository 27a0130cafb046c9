"""Writes the report as JSON for programs and as CSV for spreadsheets."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

#: Columns of the CSV file. The centre of a lesion is in RAS, the coordinates that Slicer displays.
NUMBERS = ("volume_ml", "infection_ml", "involvement_percent", "mean_hu", "infection_mean_hu")
CENTRE = ("centre_r_mm", "centre_a_mm", "centre_s_mm")
COLUMNS = ("region", "lung", *NUMBERS, *CENTRE)
REGIONS = {"right": "right lung", "left": "left lung", "both": "both lungs"}


def write_json(path: Path, report: dict[str, Any]) -> None:
    """Write the report of `quantification.quantify` as UTF-8 JSON, with escapes for what UTF-8 cannot store."""
    text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8", errors="backslashreplace", newline="\n")


def write_csv(path: Path, report: dict[str, Any]) -> None:
    """Write the report of `quantification.quantify` as CSV: a row for each lung, for both lungs, and for each lesion.

    Unknown values are empty. In the row of a lesion, `volume_ml` and `mean_hu` are those of the lesion. The file is
    UTF-8 with a byte order mark, by which Excel recognises the encoding.
    """
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, restval="", extrasaction="ignore")
        table.writeheader()
        for lung, region in REGIONS.items():
            table.writerow({"region": region, "lung": lung, **report["lungs"][lung]})
        for lesion in report["lesions"]["list"]:
            centre = dict(zip(CENTRE, lesion["centre_ras_mm"], strict=True))
            table.writerow({**lesion, "region": f"lesion {lesion['number']}", **centre})
