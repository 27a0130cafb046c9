"""`covidseg batch`: from scans to a cohort, and what it says."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from support.command_line import TIMEOUT, start
from support.instant import InstantEngine, segment, write_scans
from support.phantoms import UPPER, phantom_on

from CovidSegLib import models, pipeline
from CovidSegLib.cli import batch
from CovidSegLib.cli.main import DONE, UNUSABLE, main
from CovidSegLib.cohorts.claims import claimed_cohort
from CovidSegLib.cohorts.engines.worker import run_job
from CovidSegLib.outputs.names import FILES

SKIP = ["--skip", "overview", "--skip", "surfaces", "--skip", "labels"]


@pytest.fixture(autouse=True)
def instant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segment in no time, in this process."""
    monkeypatch.setattr(pipeline, "segment", segment)
    monkeypatch.setattr(batch, "_engine", lambda session, work: InstantEngine(lambda job: run_job(work, job)))


def covidseg(*arguments: object) -> int:
    return main(["batch", *map(str, arguments), *SKIP])


def rows(out: Path, name: str = "cohort.csv") -> list[dict[str, str]]:
    with (out / name).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_becomes_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scans = write_scans(tmp_path / "in", 3)
    scans[1].write_bytes(b"no image")
    assert covidseg(tmp_path / "in", "-o", tmp_path / "out") == DONE
    table = rows(tmp_path / "out")
    assert [row["state"] for row in table] == ["done", "failed", "done"]
    assert "damaged" in table[1]["sentence"]
    assert float(table[0]["both_involvement_percent"]) > 0
    assert {row["case_id"] for row in rows(tmp_path / "out", "lesions.csv")} == {table[0]["id"], table[2]["id"]}
    report = json.loads((tmp_path / "out" / table[0]["output"] / FILES["report"]).read_text(encoding="utf-8"))
    assert float(table[0]["both_volume_ml"]) == report["lungs"]["both"]["volume_ml"]
    printed = capsys.readouterr().out
    assert printed.startswith("3 scans, 3 of them new.\n")
    assert "Done: 2. Failed: 1. Waiting: 0.\n" in printed


def test_the_same_command_resumes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_scans(tmp_path / "in", 2)
    assert covidseg(tmp_path / "in", "-o", tmp_path / "out", "--list-only") == DONE
    assert not (tmp_path / "out" / "cases").exists()
    assert covidseg("-o", tmp_path / "out") == DONE
    write_scans(tmp_path / "in", 3)
    capsys.readouterr()
    assert covidseg(tmp_path / "in", "-o", tmp_path / "out") == DONE
    printed = capsys.readouterr().out
    assert "3 scans, 1 of them new." in printed
    assert printed.count(": done in") == 1
    assert [row["attempts"] for row in rows(tmp_path / "out")] == ["1", "1", "1"]


def test_failed_scans_are_tried_again_on_request(tmp_path: Path) -> None:
    scans = write_scans(tmp_path / "in", 2)
    (tmp_path / "list.csv").write_text("input,id,centre\nin/ct0.nii.gz,a,X\nin/ct1.nii.gz,b,Y\n")
    content = scans[1].read_bytes()
    assert covidseg(tmp_path / "list.csv", "-o", tmp_path / "out", "--list-only") == DONE
    scans[1].write_bytes(b"")
    assert covidseg("-o", tmp_path / "out") == DONE
    scans[1].write_bytes(content)
    assert covidseg("-o", tmp_path / "out") == DONE
    assert [row["state"] for row in rows(tmp_path / "out")] == ["done", "failed"]
    assert covidseg("-o", tmp_path / "out", "--retry-failed") == DONE
    assert [(row["id"], row["centre"], row["state"]) for row in rows(tmp_path / "out")] == [
        ("a", "X", "done"), ("b", "Y", "done")
    ]  # fmt: skip


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run the command, which must refuse, and return what it says."""
    capsys.readouterr()
    assert covidseg(*arguments) == UNUSABLE
    return capsys.readouterr().err


def test_two_runs_into_one_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_scans(tmp_path / "in", 1)
    with claimed_cohort(tmp_path / "out"):
        assert "Another run" in refused(capsys, tmp_path / "in", "-o", tmp_path / "out")


def test_a_changed_model_or_option_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_scans(tmp_path / "in", 1)
    assert covidseg(tmp_path / "in", "-o", tmp_path / "out") == DONE
    before = rows(tmp_path / "out")
    assert "--threshold" in refused(capsys, "-o", tmp_path / "out", "--threshold", "0.3")
    other = next(name for name in models.names() if models.find_model(name).card["sha256"] != before[0]["model_sha256"])
    assert "was begun with the model" in refused(capsys, "-o", tmp_path / "out", "--model", other)
    assert rows(tmp_path / "out") == before


def test_a_model_of_tumours_is_refused_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scans(tmp_path / "in", 1)
    model = models.find_model()
    tumours = replace(model, card={**model.card, "finding": "tumour"})
    monkeypatch.setattr(models, "find_model", lambda name=None: tumours)
    message = refused(capsys, tmp_path / "in", "-o", tmp_path / "out")
    assert "finds tumour but no infection" in message
    assert "covidseg segment" in message
    assert not (tmp_path / "out").exists()


def test_nothing_to_do_or_nothing_that_works_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no cases in" in refused(capsys, "-o", tmp_path / "out")
    (tmp_path / "bad.nii.gz").write_bytes(b"")
    assert "No scan could be segmented" in refused(capsys, tmp_path / "bad.nii.gz", "-o", tmp_path / "other")
    assert "--engine ray" in refused(capsys, "-o", tmp_path / "out", "--address", "auto")
    assert "no file or folder" in refused(capsys, tmp_path / "missing", "-o", tmp_path / "new")
    assert not (tmp_path / "new" / "cases").exists()


def test_parts_come_together(tmp_path: Path) -> None:
    write_scans(tmp_path / "in", 5)
    out = tmp_path / "out"
    for number in (2, 1):
        assert covidseg(tmp_path / "in", "-o", out, "--part", f"{number}/2") == DONE
    assert covidseg("-o", out) == DONE
    table = rows(out)
    assert [row["state"] for row in table] == ["done"] * 5
    assert [row["attempts"] for row in table] == ["1"] * 5


def test_masks_are_those_of_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real thing, in processes of its own."""
    sitk.WriteImage(phantom_on(UPPER).volume.to_image(), str(tmp_path / "ct.nii.gz"))
    processes = [
        start("batch", tmp_path / "ct.nii.gz", "-o", tmp_path / "out", *SKIP[:4]),
        start("segment", tmp_path / "ct.nii.gz", "-o", tmp_path / "one", *SKIP[:4]),
    ]
    for process in processes:
        _, errors = process.communicate(timeout=TIMEOUT)
        assert process.returncode == DONE, errors.decode()
    (case,) = (tmp_path / "out" / "cases").iterdir()
    assert sorted(path.name for path in case.iterdir()) == sorted(path.name for path in (tmp_path / "one").iterdir())
    for name in ("labels", "infection_probability", "segmentation"):
        images: list[Any] = [sitk.ReadImage(str(folder / FILES[name])) for folder in (case, tmp_path / "one")]
        np.testing.assert_array_equal(*map(sitk.GetArrayFromImage, images))
    shutil.rmtree(tmp_path / "out")
