"""Recipes that are like others, and rows of ablations: what they take, what they say, and what is told."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from CovidSegLib import recipes
from CovidSegLib.cli import main as cli
from CovidSegLib.errors import InputError
from CovidSegLib.recipe import Component, Patches, Recipe


def load(tmp_path: Path, text: str, name: str = "mine.toml") -> Recipe:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return recipes.load(str(tmp_path / name))


def test_all_is_taken_but_name_title_and_what_the_paper_reports(tmp_path: Path) -> None:
    base = recipes.load("covid-segnet")
    assert load(tmp_path, 'like = "covid-segnet"') == replace(base, name="mine", title="mine", reported={})
    named = load(tmp_path, 'like = "covid-segnet"\nname = "other"\ntitle = "Other"\nreported.infection.dice = 0.5')
    assert (named.name, named.title, named.reported) == ("other", "Other", {"infection": {"dice": 0.5}})


def test_tables_are_merged_and_everything_else_is_replaced(tmp_path: Path) -> None:
    base = recipes.load("unet-cascade")
    mine = load(
        tmp_path,
        'like = "unet-cascade"\n[infection.arguments]\nfilters = [4, 4, 4, 4, 4, 4]\n'
        '[training]\nepochs = { infection = 2 }\noptimiser.learning_rate = 0.1\naugmentation = []\ndata = ["Own"]',
    )
    assert mine.lungs == base.lungs
    assert mine.infection.arguments == {**base.infection.arguments, "filters": [4, 4, 4, 4, 4, 4]}
    assert mine.training.epochs == {"lungs": 14, "infection": 2}
    assert mine.training.optimiser == Component("adam", {"learning_rate": 0.1, "weight_decay": 0.01})
    assert (mine.training.augmentation, mine.training.data, mine.training.batch) == ((), ("Own",), 16)


def test_what_has_another_name_takes_no_arguments_over(tmp_path: Path) -> None:
    mine = load(
        tmp_path,
        'like = "unet-cascade"\n[infection]\nnetwork = "RAIUNet"\narguments = { in_channels = 3, features = 4 }\n'
        '[training]\noptimiser = { name = "sgd", learning_rate = 0.1 }\nloss = { name = "dice" }',
    )
    assert mine.infection.arguments == {"in_channels": 3, "features": 4}
    assert mine.training.optimiser == Component("sgd", {"learning_rate": 0.1})
    with pytest.raises(InputError, match=r"mine\.toml \(like unet-cascade\.toml\) \[infection\] lacks .* “arguments”"):
        load(tmp_path, 'like = "unet-cascade"\ninfection.network = "RAIUNet"')


def test_patches_take_the_place_of_slices(tmp_path: Path) -> None:
    mine = load(
        tmp_path,
        'like = "raiu-net"\n[infection]\narguments.spatial_dims = 3\npatches = { size = [16, 32, 32] }',
    )
    assert (mine.infection.slices, mine.infection.patches) == (None, Patches((16, 32, 32)))
    back = load(tmp_path, 'like = "mine.toml"\n[infection]\narguments.spatial_dims = 2\nslices.size = [8, 8]', "b.toml")
    assert back.infection.patches is None and back.infection.slices and back.infection.slices.size == (8, 8)


def test_what_is_left_out_is_not_taken(tmp_path: Path) -> None:
    """One stage alone, of a cascade."""
    mine = load(
        tmp_path,
        'like = "chs-net"\nwithout = ["lungs", "training.epochs.lungs", "training.early_stopping"]\n'
        'lungs_from = "unet-cascade"',
    )
    assert (mine.lungs, mine.lungs_from, list(mine.training.epochs)) == (None, "unet-cascade", ["infection"])
    assert mine.training.early_stopping is None


def test_files_lie_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    load(tmp_path, 'like = "unet-cascade"\ntraining.batch = 3', "base.toml")
    assert load(tmp_path, 'like = "../base.toml"', "deep/mine.toml").training.batch == 3


TOLD = [
    ('like = "unet"', r"mine\.toml is like “unet”, which is not there; give one of attention-unet, .*or a path"),
    ('like = "no.toml"', r"mine\.toml is like “no\.toml”, which is not there"),
    ("like = 3", "“like”; it must be a recipe's name or file"),
    ('like = "mine.toml"', r"mine\.toml is like itself \(mine\.toml, mine\.toml\)"),
    ('like = "circle.toml"', r"mine\.toml is like itself \(mine\.toml, circle\.toml, mine\.toml\); take “like” out"),
    ('like = "bad.toml"', r"The recipe bad\.toml is not valid TOML"),
    ('like = "base.toml"\ntraining.batch = 0', r"mine\.toml \(like base\.toml, chs-net\.toml\) \[training\] .*“batch”"),
    ('like = "base.toml"\ntraining = 5', r"mine\.toml \(like base\.toml, chs-net\.toml\) .* “training”; .* a table"),
    ('like = "chs-net"\nwithout = ["lung"]', r"mine\.toml is without “lung”, which is not in chs-net\.toml"),
    ('like = "chs-net"\nwithout = ["name.x"]', "is without “name.x”, which is not in"),
    ('like = "chs-net"\nwithout = "lungs"', "“without”; it must be a list of texts"),
    ('without = ["lungs"]', "has “without”, which goes with “like”; leave it out"),
]


@pytest.mark.parametrize(("text", "told"), TOLD)
def test_what_is_wrong_is_told_with_the_files(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "circle.toml").write_text('like = "mine.toml"')
    (tmp_path / "bad.toml").write_text("[training")
    (tmp_path / "base.toml").write_text('like = "chs-net"')
    with pytest.raises(InputError) as caught:
        load(tmp_path, text)
    assert re.search(told, str(caught.value)), str(caught.value)


# Rows of ablations


@pytest.mark.parametrize("row", ["UNet4 + FV", "unet4 + fv", "CEB"])
def test_a_row_of_an_ablation_is_a_recipe(row: str) -> None:
    own, found = recipes.load("covid-segnet"), recipes.load("covid-segnet", ablation=row)
    variation = "CEB" if row == "CEB" else "FV"
    assert found.name == f"covid-segnet (UNet4 + {variation})"
    assert found.title == f"COVID-SegNet (UNet4 + {variation})"
    changed = {**own.infection.arguments, "feature_variation": variation, "pyramid": "none"}
    assert found.infection == replace(own.infection, arguments=changed)
    assert found.reported["infection"]["dice"] == {"FV": 0.708, "CEB": 0.682}[variation]
    assert found.reported.keys() == {"infection", "lungs"}
    assert found.training == own.training


def test_a_row_is_about_all_stages_with_that_network() -> None:
    found = recipes.load("chs-net", ablation="BU")
    assert found.lungs and found.lungs.arguments["attention"] is found.infection.arguments["attention"] is False


def test_every_row_of_every_recipe_is_found_by_its_name() -> None:
    count = 0
    for name in recipes.names():
        for row in recipes.load(name).reported.get("ablation", []):
            assert recipes.load(name, ablation=row["row"]).reported.get("infection") == row.get("infection")
            count += 1
    assert count > 20


@pytest.mark.parametrize(
    ("name", "row", "told"),
    [
        ("covid-segnet", "XYZ", r"covid-segnet\.toml has no row “XYZ”; give one of “UNet4”, “UNet4 \+ CAB”, "),
        ("covid-segnet", "ASP", "has several rows “ASP”; give one of "),
        ("unet-cascade", "UNet", r"unet-cascade\.toml has no ablation"),
    ],
)
def test_rows_that_there_are_not_are_told(name: str, row: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        recipes.load(name, ablation=row)


def test_a_row_may_be_wrong_too(tmp_path: Path) -> None:
    text = 'like = "raiu-net"\n[[reported.ablation]]\nrow = "A"\narguments = { atention = false }'
    assert load(tmp_path, text).name == "mine"
    with pytest.raises(InputError, match=r"raiu-net\.toml\) \(A\) \[infection\] has “arguments” .*atention"):
        recipes.load(str(tmp_path / "mine.toml"), ablation="A")


# As one text


@pytest.mark.parametrize("name", recipes.names())
def test_the_whole_text_reads_as_the_same_recipe(tmp_path: Path, name: str) -> None:
    (tmp_path / "whole.toml").write_text(recipes.resolved_toml(name), encoding="utf-8")
    assert recipes.load(str(tmp_path / "whole.toml")) == recipes.load(name)


def test_the_whole_text_needs_no_other_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load(tmp_path, 'like = "chs-net"', "base.toml")
    mine = load(tmp_path, 'like = "base.toml"')
    assert cli.main(["recipes", "show", str(tmp_path / "mine.toml"), "--resolved"]) == cli.DONE
    text = capsys.readouterr().out
    (tmp_path / "base.toml").unlink()
    assert "like" not in text and load(tmp_path, text, "whole.toml") == mine
    assert cli.main(["recipes", "show", "chs-net", "--resolved", "--ablation", "BU+RIB"]) == cli.DONE
    row = load(tmp_path, capsys.readouterr().out, "row.toml")
    assert row == recipes.load("chs-net", "BU+RIB") and row.name == "chs-net (BU+RIB)"
