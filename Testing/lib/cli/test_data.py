"""`covidseg data`: splits, previews and the list of public data sets. See data/ for its other actions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.tiny_case import chest_case
from support.tiny_data import write_case

from CovidSegLib.cli import main as cli
from CovidSegLib.data import sources, split, split_files

PATIENTS = ["a_1", "a_2", "b_1", "b_2", "b_3"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Five patients from two sources, with one scan each."""
    folder = tmp_path / "data"
    folder.mkdir()
    index = [{"name": f"{name}_run0", "patient": name, "slices": 4} for name in PATIENTS]
    (folder / "index.json").write_text(json.dumps(index))
    for entry in index:
        write_case(folder, str(entry["name"]), chest_case(slices=4))
    return folder


# Split


def test_a_split_is_written(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "split.json"
    command = ["data", "split", str(data), "-o", str(out), "--validation", "1", "--test", "0.4"]
    assert cli.main([*command, "--seed", "5"]) == cli.DONE
    assert split_files.read_split(out, PATIENTS) == split.make_split(PATIENTS, 5, 1, 2)
    assert f"{out}: 2 patients to train, 1 to validate, 2 to test" in capsys.readouterr().out
    assert cli.main(command) == cli.UNUSABLE
    assert "already holds results" in capsys.readouterr().err
    assert cli.main([*command, "--overwrite"]) == cli.DONE
    assert split_files.read_split(out, PATIENTS).seed == 0


def test_folds_are_written(data: Path, tmp_path: Path) -> None:
    assert cli.main(["data", "split", str(data), "-o", str(tmp_path / "cv.json"), "--folds", "5"]) == cli.DONE
    folds = [split_files.read_split(tmp_path / f"cv-{number}.json", PATIENTS) for number in range(1, 6)]
    assert folds == split.make_folds(PATIENTS, 5, 0)


# Preview


def test_a_preview_is_written(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "preview.png"
    assert cli.main(["data", "preview", str(data), "-o", str(out), "--patients", "a_1", "b_2"]) == cli.DONE
    assert "2 cases" in capsys.readouterr().out
    pixels = np.asarray(Image.open(out).convert("RGB")).astype(int)
    red, green, blue = np.moveaxis(pixels, 2, 0)
    assert ((red > 200) & (green < 120)).sum() > 100 and ((blue > 200) & (red < 140)).sum() > 100


def test_unusable_preview_options_are_reported(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["data", "preview", str(data), "-o"]
    assert cli.main([*command, str(tmp_path / "p.jpg")]) == cli.UNUSABLE
    assert "a name that ends in .png" in capsys.readouterr().err
    assert cli.main([*command, str(tmp_path / "p.png"), "--patients", "a_1", "nobody"]) == cli.UNUSABLE
    assert 'there is no patient "nobody"; there are: a_1, a_2, b_1' in capsys.readouterr().err
    assert not list(tmp_path.glob("p.*"))


# Public data sets


def test_public_data_sets_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", "download"]) == cli.DONE
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["NAME", "DOWNLOAD", "TITLE"]
    for row, source in zip(rows, sources.load_sources().values(), strict=True):
        assert row.startswith(source.name) and row.endswith(source.title)
        assert ("by hand" in row) == (not source.files)


def test_public_data_sets_are_listed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", "download", "--json"]) == cli.DONE
    records = json.loads(capsys.readouterr().out)
    assert [record["name"] for record in records] == list(sources.load_sources())
    assert all(record["licence"] and record["citation"] for record in records)
    assert cli.main(["data", "download", "msd-lung", "--json"]) == cli.UNUSABLE
    assert "--json prints the list" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["msd-lung", "covid-19-20"])
def test_a_public_data_set_is_shown_whether_or_not_it_can_be_downloaded(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["data", "show", name]) == cli.DONE
    assert capsys.readouterr().out == sources.describe_source(sources.load_sources()[name]) + "\n"
    assert cli.main(["data", "show", "nothing"]) == cli.UNUSABLE
    assert 'There is no data set "nothing"' in capsys.readouterr().err
