"""Inheritance between recipes, rows of ablation tables, and their errors."""

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


def test_everything_but_name_title_and_reported_results_is_inherited(tmp_path: Path) -> None:
    base = recipes.load("covid-segnet")
    assert load(tmp_path, 'like = "covid-segnet"') == replace(base, name="mine", title="mine", reported={})
    named = load(tmp_path, 'like = "covid-segnet"\nname = "other"\ntitle = "Other"\nreported.infection.dice = 0.5')
    assert (named.name, named.title, named.reported) == ("other", "Other", {"infection": {"dice": 0.5}})


def test_tables_are_merged_and_other_values_are_replaced(tmp_path: Path) -> None:
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


def test_a_component_with_another_name_inherits_no_arguments(tmp_path: Path) -> None:
    mine = load(
        tmp_path,
        'like = "unet-cascade"\n[infection]\nnetwork = "RAIUNet"\narguments = { in_channels = 3, features = 4 }\n'
        '[training]\noptimiser = { name = "sgd", learning_rate = 0.1 }\nloss = { name = "dice" }',
    )
    assert mine.infection.arguments == {"in_channels": 3, "features": 4}
    assert mine.training.optimiser == Component("sgd", {"learning_rate": 0.1})
    with pytest.raises(InputError, match=r'mine\.toml \(like unet-cascade\.toml\) \[infection\] lacks .* "arguments"'):
        load(tmp_path, 'like = "unet-cascade"\ninfection.network = "RAIUNet"')


def test_patches_replace_slices_and_slices_replace_patches(tmp_path: Path) -> None:
    mine = load(
        tmp_path,
        'like = "raiu-net"\n[infection]\narguments.spatial_dims = 3\npatches = { size = [16, 32, 32] }\n'
        '[training]\nsampling = "slices"\nskip_dark = false',
    )
    assert (mine.infection.slices, mine.infection.patches) == (None, Patches((16, 32, 32)))
    back = load(tmp_path, 'like = "mine.toml"\n[infection]\narguments.spatial_dims = 2\nslices.size = [8, 8]', "b.toml")
    assert back.infection.patches is None and back.infection.slices and back.infection.slices.size == (8, 8)


def test_keys_of_without_are_not_inherited(tmp_path: Path) -> None:
    """Inherit a single stage of a cascade."""
    mine = load(
        tmp_path,
        'like = "chs-net"\nwithout = ["lungs", "training.epochs.lungs", "training.early_stopping"]\n'
        'lungs_from = "unet-cascade"',
    )
    assert (mine.lungs, mine.lungs_from, list(mine.training.epochs)) == (None, "unet-cascade", ["infection"])
    assert mine.training.early_stopping is None


def test_paths_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    load(tmp_path, 'like = "unet-cascade"\ntraining.batch = 3', "base.toml")
    assert load(tmp_path, 'like = "../base.toml"', "deep/mine.toml").training.batch == 3


ERRORS = [
    (
        'like = "unet"',
        r'mine\.toml inherits from "unet", which does not exist\. Give one of attention-unet, .*or a path',
    ),
    ('like = "no.toml"', r'mine\.toml inherits from "no\.toml", which does not exist'),
    ("like = 3", '"like". It must be the name or the file of a recipe'),
    ('like = "mine.toml"', r"mine\.toml inherits from itself \(mine\.toml, mine\.toml\)"),
    (
        'like = "circle.toml"',
        r'mine\.toml inherits from itself \(mine\.toml, circle\.toml, mine\.toml\)\. Remove "like"',
    ),
    ('like = "bad.toml"', r"The recipe bad\.toml is not valid TOML"),
    ('like = "base.toml"\ntraining.batch = 0', r'mine\.toml \(like base\.toml, chs-net\.toml\) \[training\] .*"batch"'),
    ('like = "base.toml"\ntraining = 5', r'mine\.toml \(like base\.toml, chs-net\.toml\) .* "training"\. .* a table'),
    (
        'like = "chs-net"\nwithout = ["lung"]',
        r'"without" of the recipe mine\.toml names "lung", which is not in chs-net\.toml\. Remove',
    ),
    ('like = "chs-net"\nwithout = ["name.x"]', 'names "name.x", which is not in'),
    ('like = "chs-net"\nwithout = "lungs"', '"without". It must be a list of strings'),
    ('without = ["lungs"]', 'has "without" but no "like". Remove "without"'),
]


@pytest.mark.parametrize(("text", "message"), ERRORS)
def test_errors_name_the_files(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "circle.toml").write_text('like = "mine.toml"')
    (tmp_path / "bad.toml").write_text("[training")
    (tmp_path / "base.toml").write_text('like = "chs-net"')
    with pytest.raises(InputError) as caught:
        load(tmp_path, text)
    assert re.search(message, str(caught.value)), str(caught.value)


# Rows of ablation tables


@pytest.mark.parametrize("row", ["UNet4 + FV", "unet4 + fv", "CEB"])
def test_a_row_of_an_ablation_table_is_a_recipe(row: str) -> None:
    own, row_recipe = recipes.load("covid-segnet"), recipes.load("covid-segnet", ablation=row)
    variation = "CEB" if row == "CEB" else "FV"
    assert row_recipe.name == f"covid-segnet (UNet4 + {variation})"
    assert row_recipe.title == f"COVID-SegNet (UNet4 + {variation})"
    changed = {**own.infection.arguments, "feature_variation": variation, "pyramid": "none"}
    assert row_recipe.infection == replace(own.infection, arguments=changed)
    assert row_recipe.reported["infection"]["dice"] == {"FV": 0.708, "CEB": 0.682}[variation]
    assert row_recipe.reported.keys() == {"infection", "lungs"}
    assert row_recipe.training == own.training


def test_a_row_changes_all_stages_with_the_same_network() -> None:
    row_recipe = recipes.load("chs-net", ablation="BU")
    assert (
        row_recipe.lungs
        and row_recipe.lungs.arguments["attention"] is row_recipe.infection.arguments["attention"] is False
    )


def test_every_row_of_every_recipe_can_be_loaded_by_name() -> None:
    count = 0
    for name in recipes.names():
        for row in recipes.load(name).reported.get("ablation", []):
            assert recipes.load(name, ablation=row["row"]).reported.get("infection") == row.get("infection")
            count += 1
    assert count > 20


def test_a_row_may_change_region_masking_and_labels(tmp_path: Path) -> None:
    masked, original = recipes.load("fv-paspp-ds-unet"), recipes.load("fv-paspp-ds-unet", ablation="Original image")
    assert (masked.infection.mask_margin_mm, original.infection.mask_margin_mm) == (0.0, None)
    arguments = {**masked.infection.arguments, **masked.reported["ablation"][-1]["arguments"]}
    assert original.infection == replace(masked.infection, mask_margin_mm=None, arguments=arguments)
    text = """
like = "covid-segnet"
[[reported.ablation]]
row = "A"
without = ["training.schedule"]
[reported.ablation.changes.infection]
region = "body"
labels = ["background", "right_lung", "left_lung", "infection"]
arguments.out_channels = 4
"""
    assert load(tmp_path, text).infection.region == "whole"
    row = recipes.load(str(tmp_path / "mine.toml"), ablation="A")
    assert (row.infection.region, len(row.infection.labels)) == ("body", 4)
    assert row.infection.arguments["features"] == 64
    assert row.training.schedule.name == "constant"
    assert row.reported == {}
    load(tmp_path, text.replace("training.schedule", "training.nothing"))
    with pytest.raises(InputError, match=r'"without" of the row "A" of .* names "training.nothing", which the recipe'):
        recipes.load(str(tmp_path / "mine.toml"), ablation="A")


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("covid-segnet", "XYZ", r'covid-segnet\.toml has no row "XYZ"\. Give one of "UNet4", "UNet4 \+ CAB", '),
        ("covid-segnet", "ASP", 'has several rows "ASP". Give one of '),
        ("unet-cascade", "UNet", r"unet-cascade\.toml has no ablation table"),
    ],
)
def test_unknown_rows_are_reported(name: str, row: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        recipes.load(name, ablation=row)


def test_errors_in_a_row_are_reported(tmp_path: Path) -> None:
    text = 'like = "raiu-net"\n[[reported.ablation]]\nrow = "A"\narguments = { atention = false }'
    assert load(tmp_path, text).name == "mine"
    with pytest.raises(InputError, match=r'raiu-net\.toml\) \(A\) \[infection\] has wrong "arguments" .*atention'):
        recipes.load(str(tmp_path / "mine.toml"), ablation="A")


# Resolved TOML


@pytest.mark.parametrize("name", recipes.names())
def test_the_resolved_text_is_the_same_recipe(tmp_path: Path, name: str) -> None:
    (tmp_path / "whole.toml").write_text(recipes.resolved_toml(name), encoding="utf-8")
    assert recipes.load(str(tmp_path / "whole.toml")) == recipes.load(name)


def test_the_resolved_text_needs_no_other_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load(tmp_path, 'like = "chs-net"', "base.toml")
    mine = load(tmp_path, 'like = "base.toml"')
    assert cli.main(["recipes", "show", str(tmp_path / "mine.toml"), "--resolved"]) == cli.DONE
    text = capsys.readouterr().out
    (tmp_path / "base.toml").unlink()
    assert "like" not in text and load(tmp_path, text, "whole.toml") == mine
    assert cli.main(["recipes", "show", "chs-net", "--resolved", "--ablation", "BU+RIB"]) == cli.DONE
    row = load(tmp_path, capsys.readouterr().out, "row.toml")
    assert row == recipes.load("chs-net", "BU+RIB") and row.name == "chs-net (BU+RIB)"
