"""`covidseg train`: its arguments. See runs/test_resume.py for whole runs and for arguments that are refused."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from CovidSegLib import recipes
from CovidSegLib.cli import train
from CovidSegLib.data.dataset import DataSet
from CovidSegLib.data.entry import ONE_INFECTION, Entry


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    return parser.parse_args(["chs-net", "--data", "data", *arguments])


@pytest.mark.parametrize("option", ["-o", "--output", "--out"])
def test_the_folder_of_the_run_has_an_alias(option: str) -> None:
    assert parse(option, "runs/first").output == Path("runs/first")


def test_arguments_are_stored_under_their_first_names() -> None:
    """environment.json of earlier runs has the key "out"."""
    stored = train._arguments_to_store(parse("--output", "run", "--seed", "3"))
    assert (stored["out"], stored["recipe"], stored["seed"]) == (Path("run"), ["chs-net"], 3)
    assert not {"output", "run"} & set(stored)


@pytest.mark.parametrize(
    ("option", "value"), [("--epochs", "0"), ("--epochs", "many"), ("--seed", "-1"), ("--workers", "1.5")]
)
def test_numbers_are_checked(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("-o", "run", option, value)
    assert "a whole number" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("recipe", "sizes"),
    [
        ("ra-unet", (16, 0, 3)),
        ("fv-paspp-ds-unet", (14, 2, 4)),
        ("qc-hc-unet", (16, 0, 4)),
        ("chs-net", (11, 3, 6)),  # a fifth of the 70 % validates
        ("unet-2d-small", (14, 2, 4)),  # no paper: 10 % and 20 %
    ],
)
def test_the_default_split_is_that_of_the_paper(recipe: str, sizes: tuple[int, ...]) -> None:
    """Of 20 scans, one of them in two slice ranges."""
    names = ["p0_run0", "p0_run1", *(f"p{number}_run0" for number in range(1, 20))]
    entries = tuple(Entry(name, name.split("_")[0], {}, {"infection": ONE_INFECTION}) for name in names)
    split = train._paper_split(recipes.load(recipe), DataSet(Path("data"), "tiny", entries), seed=0)
    assert (len(split.train), len(split.validation), len(split.test)) == sizes
