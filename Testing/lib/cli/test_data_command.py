"""`covidseg data`: what it draws and splits, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.tiny_case import chest_case
from support.tiny_data import write_case

from CovidSegLib.cli import main as cli
from CovidSegLib.data import preview, split, split_files

PATIENTS = ["a_1", "a_2", "b_1", "b_2", "b_3"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Five patients from two places, of a scan each."""
    folder = tmp_path / "data"
    folder.mkdir()
    index = [{"name": f"{name}_run0", "patient": name, "slices": 4} for name in PATIENTS]
    (folder / "index.json").write_text(json.dumps(index))
    for entry in index:
        write_case(folder, str(entry["name"]), chest_case(slices=4))
    return folder


# Split


def test_a_split_is_drawn(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "split.json"
    command = ["data", "split", str(data), "-o", str(out), "--validation", "1", "--test", "0.4"]
    assert cli.main([*command, "--seed", "5"]) == cli.DONE
    assert split_files.read_split(out, PATIENTS) == split.make_split(PATIENTS, 5, 1, 2)
    assert f"{out}: 2 patients to train, 1 to validate, 2 to test" in capsys.readouterr().out
    assert cli.main(command) == cli.UNUSABLE
    assert "already holds results" in capsys.readouterr().err
    assert cli.main([*command, "--overwrite"]) == cli.DONE
    assert split_files.read_split(out, PATIENTS).seed == 0


def test_folds_are_drawn(data: Path, tmp_path: Path) -> None:
    assert cli.main(["data", "split", str(data), "-o", str(tmp_path / "cv.json"), "--folds", "5"]) == cli.DONE
    folds = [split_files.read_split(tmp_path / f"cv-{number}.json", PATIENTS) for number in range(1, 6)]
    assert folds == split.make_folds(PATIENTS, 5, 0)


# Preview


def test_a_preview_is_drawn(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "preview.png"
    assert cli.main(["data", "preview", str(data), "-o", str(out), "--patients", "a_1", "b_2"]) == cli.DONE
    assert "2 cases" in capsys.readouterr().out
    pixels = np.asarray(Image.open(out).convert("RGB")).astype(int)
    red, green, blue = np.moveaxis(pixels, 2, 0)
    assert ((red > 200) & (green < 120)).sum() > 100 and ((blue > 200) & (red < 140)).sum() > 100


def test_wrong_arguments_are_told(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["data", "preview", str(data), "-o"]
    assert cli.main([*command, str(tmp_path / "p.jpg")]) == cli.UNUSABLE
    assert "a name that ends in .png" in capsys.readouterr().err
    assert cli.main([*command, str(tmp_path / "p.png"), "--patients", "a_1", "nobody"]) == cli.UNUSABLE
    assert 'there is no patient "nobody"; there are: a_1, a_2, b_1' in capsys.readouterr().err
    assert not list(tmp_path.glob("p.*"))


def test_the_slices_that_tell_most_are_shown() -> None:
    case = chest_case(slices=12)
    most = int(case.infection.sum(axis=(1, 2)).argmax())
    assert preview.slices_to_show(case) == sorted({3, most, 8})
    assert preview.slices_to_show(replace(case, masks={**case.masks, "infection": np.zeros_like(case.infection)})) == [
        3,
        6,
        8,
    ]
    assert preview.slices_to_show(chest_case(slices=1)) == [0]
    case.lungs[:] = False
    assert len(preview.slices_to_show(case)) == 3


def test_a_sheet_stays_of_a_size_that_can_be_seen(tmp_path: Path) -> None:
    cases = [chest_case(str(number), slices=1) for number in range(preview.MAX_CASES + 5)]
    preview.draw_preview(tmp_path / "p.png", cases)
    width, height = Image.open(tmp_path / "p.png").size
    assert width < 1600 and height < 3200
