"""The files of a comparison, written completely or not at all."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from support.follow_ups import GRID, compared, current

from CovidSegLib.errors import Cancelled, InputError
from CovidSegLib.followup import CHANGES
from CovidSegLib.outputs.follow_up_files import FOLLOW_UP_FILES, MASK_FILES, prepare_follow_up, write_follow_up
from CovidSegLib.outputs.stored_result import read_result


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_all_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    follow = compared(monkeypatch)
    paths = write_follow_up(tmp_path / "out", follow)
    assert {path.name for path in paths} == set(FOLLOW_UP_FILES.values())
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(FOLLOW_UP_FILES.values())
    report = json.loads((tmp_path / "out" / "follow-up.json").read_text(encoding="utf-8"))
    assert report["files"]["fit"] == "fit.png" and report["files"]["current_masks"] is None
    lesions = rows(tmp_path / "out" / "lesions.csv")
    assert [row["change"] for row in lesions] == [lesion.change for lesion in follow.comparison.lesions]
    assert next(row for row in lesions if row["change"] == "new")["difference_percent"] == ""
    regions = rows(tmp_path / "out" / "regions.csv")
    assert len(regions) == 9 and float(regions[2]["prior_infection_ml"]) == pytest.approx(1.536)
    prior = sitk.ReadImage(str(tmp_path / "out" / "prior_ct.nii.gz"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(prior), follow.prior_volume.array)


def test_changes_are_segments(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    follow = compared(monkeypatch)
    write_follow_up(tmp_path, follow, trend=False)
    image = sitk.ReadImage(str(tmp_path / "changes.seg.nrrd"))
    layers = sitk.GetArrayFromImage(image)
    assert layers.shape == (*GRID.shape, 2)
    found = {}
    for number in range(2 * len(CHANGES)):
        keys = {key: image.GetMetaData(f"Segment{number}_{key}") for key in ("ID", "Layer", "LabelValue", "Name")}
        found[keys["ID"]] = int((layers[..., int(keys["Layer"])] == int(keys["LabelValue"])).sum())
    assert {name: count for name, count in found.items() if count} == {
        "current_new": 64,
        "current_grown": 125,
        "current_stable": 64,
        "current_resolved": 64,
        "prior_grown": 64,
        "prior_stable": 64,
        "prior_resolved": 64,
    }
    assert not (tmp_path / "trend.png").exists()


def test_masks_that_were_made_for_the_comparison(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    point = current()
    write_follow_up(tmp_path, compared(monkeypatch), masks={"current": point.segmentation}, trend=False)
    result = read_result(tmp_path / MASK_FILES["current"], point.volume)
    np.testing.assert_array_equal(result.infection, point.segmentation.infection)
    assert not (tmp_path / MASK_FILES["prior"]).exists()


def test_all_or_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    follow = compared(monkeypatch)

    def stop(stage: str, fraction: float) -> None:
        if fraction == 1.0:
            raise Cancelled

    with pytest.raises(Cancelled):
        write_follow_up(tmp_path / "out", follow, trend=False, progress=stop)
    assert not (tmp_path / "out").exists()
    write_follow_up(tmp_path / "out", follow)
    before = (tmp_path / "out" / "follow-up.json").read_bytes()
    for refuse in (lambda: prepare_follow_up(tmp_path / "out"), lambda: write_follow_up(tmp_path / "out", follow)):
        with pytest.raises(InputError, match="already holds results"):
            refuse()
    with pytest.raises(Cancelled):
        write_follow_up(tmp_path / "out", follow, overwrite=True, progress=stop)
    assert (tmp_path / "out" / "follow-up.json").read_bytes() == before
    write_follow_up(tmp_path / "out", follow, overwrite=True, trend=False)
    assert not (tmp_path / "out" / "trend.png").exists(), "the plot of the earlier comparison is out of date"
