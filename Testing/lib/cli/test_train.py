"""`covidseg train`: its arguments. See runs/test_resume.py for whole runs and for arguments that are refused."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from CovidSegLib.cli import train


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
