"""`covidseg report`: from a stored result to report files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from support.reports import small_pictures
from support.results import SEGMENTATION, VOLUME, write

from CovidSegLib.cli import main as cli
from CovidSegLib.cli import segment
from CovidSegLib.outputs.seg_nrrd import write_seg_nrrd
from CovidSegLib.reports.review import Reader, Review


@pytest.fixture(autouse=True)
def pictures_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("CovidSegLib.reports.pictures.draw_pictures", lambda volume, segmentation: small_pictures())


@pytest.fixture
def case(tmp_path: Path) -> dict[str, Path]:
    """A CT, its result, corrected masks and a review."""
    ct, result = tmp_path / "ct.nrrd", tmp_path / "result"
    sitk.WriteImage(VOLUME.to_image(), str(ct))
    write(result, skip=["surfaces", "overview"])
    infection = SEGMENTATION.infection.copy()
    infection[:, :, ::2] = False
    assert 0 < np.count_nonzero(infection) < np.count_nonzero(SEGMENTATION.infection)
    corrected = tmp_path / "corrected.seg.nrrd"
    write_seg_nrrd(corrected, replace(SEGMENTATION, infection=infection))
    review = tmp_path / "review.json"
    review.write_text(json.dumps(Review(Reader(reviewed_by="Dr. Who")).as_json()), encoding="utf-8")
    return {"ct": ct, "result": result, "corrected": corrected, "review": review, "out": tmp_path / "out"}


def run(*arguments: Any) -> int:
    return cli.main([*map(str, arguments)])


def test_report_of_a_result(case: dict[str, Path]) -> None:
    assert run("report", case["result"], case["ct"], "-o", case["out"]) == cli.DONE
    assert sorted(path.name for path in case["out"].iterdir()) == ["report.html", "report.pdf"]
    assert "Not compared" in (case["out"] / "report.html").read_text(encoding="utf-8")


def test_report_beside_the_result_leaves_it_alone(case: dict[str, Path]) -> None:
    before = {path.name: path.read_bytes() for path in case["result"].iterdir()}
    assert run("report", case["result"], case["ct"], "-o", case["result"]) == cli.DONE
    assert all((case["result"] / name).read_bytes() == content for name, content in before.items())
    assert run("report", case["result"], case["ct"], "-o", case["result"]) == cli.UNUSABLE
    assert run("report", case["result"], case["ct"], "-o", case["result"], "--overwrite") == cli.DONE


def test_corrected_masks_are_compared_with_the_original(case: dict[str, Path]) -> None:
    options = ("--original", case["result"], "--review", case["review"])
    assert run("report", case["corrected"], case["ct"], "-o", case["out"], *options) == cli.DONE
    html = (case["out"] / "report.html").read_text(encoding="utf-8")
    assert "0.0 ml of infection added" in html
    assert "Dice to the masks of the model 0." in html
    assert 'value="Dr. Who"' in html


@pytest.mark.parametrize(
    ("content", "reason"),
    [("{}", "not a review"), ("[", "not a review"), ('{"schema": "covidseg-review/1", "edits": 3}', "not a review")],
)
def test_reviews_that_cannot_be_used(
    case: dict[str, Path], capsys: pytest.CaptureFixture[str], content: str, reason: str
) -> None:
    case["review"].write_text(content, encoding="utf-8")
    arguments = ("report", case["result"], case["ct"], "-o", case["out"], "--review", case["review"])
    assert run(*arguments) == cli.UNUSABLE
    assert reason in capsys.readouterr().err
    assert not case["out"].exists()


def test_segment_writes_the_report_of_unedited_masks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ct = tmp_path / "ct.nrrd"
    sitk.WriteImage(VOLUME.to_image(), str(ct))
    monkeypatch.setattr(
        "CovidSegLib.pipeline.segment", lambda volume, *_, **__: replace(SEGMENTATION, grid=volume.grid)
    )
    skip = [option for name in segment.SKIPPABLE for option in ("--skip", name)]
    assert run("segment", ct, "-o", tmp_path / "a", "--report", *skip) == cli.DONE
    html = (tmp_path / "a" / "report.html").read_text(encoding="utf-8")
    assert "Nothing was edited" in html
    assert (tmp_path / "a" / "report.pdf").read_bytes().startswith(b"%PDF-")
    assert ct.name not in html
    # Without --report, an outdated report does not stay beside new masks.
    assert run("segment", ct, "-o", tmp_path / "a", "--overwrite", *skip) == cli.DONE
    assert not (tmp_path / "a" / "report.html").exists()
