"""The files of a result, and what they contain."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from support.results import SEGMENTATION, VOLUME, contents, write

from CovidSegLib.outputs import FILES, write_results
from CovidSegLib.quantification import quantify


def test_all_files_are_written(tmp_path, overview_calls):
    out = tmp_path / "new" / "Ergebnis Ä 肺"
    paths = write(out)
    assert paths == [out / name for name in FILES.values()]
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES.values())
    volume, segmentation, report, surfaces = overview_calls[0]
    assert volume is VOLUME
    assert segmentation is SEGMENTATION
    assert report["schema"] == "covidseg-report/1"
    assert list(surfaces) == ["lungs", "infection"]


def test_label_map_and_probabilities(tmp_path):
    write(tmp_path / "out")
    for name, expected in {"labels": SEGMENTATION.labels, "infection_probability": SEGMENTATION.probability}.items():
        image = sitk.ReadImage(str(tmp_path / "out" / FILES[name]))
        assert image.GetPixelID() == sitk.sitkUInt8
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), expected)


def test_the_report_as_json(tmp_path):
    write(tmp_path / "out", skip=["overview"])
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    files = report.pop("files")
    assert report == quantify(VOLUME, SEGMENTATION)
    assert files == {**FILES, "overview": None}


def test_the_report_as_csv(tmp_path):
    write(tmp_path / "out")
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert (tmp_path / "out" / "report.csv").read_bytes().startswith(b"\xef\xbb\xbfregion,lung,volume_ml,")
    with (tmp_path / "out" / "report.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["region"] for row in rows] == ["right lung", "left lung", "both lungs", "lesion 1", "lesion 2"]
    assert float(rows[2]["involvement_percent"]) == report["lungs"]["both"]["involvement_percent"]
    lesion = report["lesions"]["list"][1]
    assert float(rows[4]["volume_ml"]) == lesion["volume_ml"]
    assert [float(rows[4][f"centre_{axis}_mm"]) for axis in "ras"] == lesion["centre_ras_mm"]
    assert rows[4]["lung"] == lesion["lung"]
    assert rows[4]["infection_ml"] == ""


def test_the_same_run_twice_gives_the_same_files(tmp_path):
    write(tmp_path / "one")
    write(tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_skipped_files_are_not_written_and_null_in_the_report(tmp_path, overview_calls):
    paths = write(tmp_path / "a", skip={"surfaces"})
    assert {path.name for path in paths} == set(FILES.values()) - {"lungs.vtp", "infection.vtp"}
    assert overview_calls[0][3] is None
    paths = write(tmp_path / "b", skip={"surfaces", "overview"})
    report = json.loads((tmp_path / "b" / "report.json").read_text())
    assert {path.name for path in paths} == {name for name in report["files"].values() if name}
    assert len(overview_calls) == 1
    with pytest.raises(ValueError, match="report"):
        write(tmp_path / "c", skip={"report"})
    assert not (tmp_path / "c").exists()


def test_skipping_the_label_map(tmp_path):
    assert tmp_path / "labels.nii.gz" not in write(tmp_path, skip={"labels"})
    assert json.loads((tmp_path / "report.json").read_text())["files"]["labels"] is None


def test_surfaces_of_segments(tmp_path, overview_calls):
    paths = write(tmp_path, surfaces="segments")
    surfaces = {path.name for path in paths if path.suffix == ".vtp"}
    assert surfaces == {"right_lung.vtp", "left_lung.vtp", "infection.vtp"}
    files = json.loads((tmp_path / "report.json").read_text())["files"]
    assert (files["right_lung_surface"], files["lungs_surface"]) == ("right_lung.vtp", None)
    assert list(overview_calls[0][3]) == ["right_lung", "left_lung", "infection"]
    write(tmp_path, overwrite=True)
    assert not (tmp_path / "right_lung.vtp").exists()


def test_without_infection_there_is_no_infection_surface(tmp_path):
    healthy = replace(SEGMENTATION, infection=np.zeros_like(SEGMENTATION.infection))
    paths = write_results(tmp_path, VOLUME, healthy)
    assert tmp_path / "lungs.vtp" in paths
    assert tmp_path / "infection.vtp" not in paths
    assert not (tmp_path / "infection.vtp").exists()
    assert json.loads((tmp_path / "report.json").read_text())["files"]["infection_surface"] is None


def test_a_long_path(tmp_path):
    out = tmp_path.joinpath(*["a name of a folder that is rather long, as names of studies are"] * 8)
    assert all(path.exists() for path in write(out))


def test_progress_increases_to_one(tmp_path):
    calls = []
    write(tmp_path, progress=lambda stage, fraction: calls.append((stage, fraction)))
    fractions = [fraction for _, fraction in calls]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert len({stage for stage, _ in calls}) == len(calls) == 6
