"""Recipes: every one builds, and what is wrong in one is told with file, key and what is allowed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import torch

from CovidSegLib import networks, recipe
from CovidSegLib.errors import InputError
from CovidSegLib.recipe import RECIPES, Stage

GOOD = """
name = "tiny"
title = "Tiny"
summary = "For tests."
source = "Nobody"

[lungs]
network = "RAIUNet"
arguments = { in_channels = 3, features = 4 }
region = "body"
size = [32, 48]
window_hu = [-1000, 200.5]
slices = 3
margin_mm = 4

[infection]
network = "RAIUNet"
arguments = { features = 4 }
region = "lungs"
size = [32, 32]
window_hu = [-1000.0, 200.0]
mask_margin_mm = 8.0

[training]
epochs = { lungs = 2, infection = 3 }
batch = 4
learning_rate = 0.01
"""


@pytest.mark.parametrize("name", recipe.names())
def test_every_recipe_builds_its_networks(name: str) -> None:
    """And they give one map for each slice."""
    loaded = recipe.load(name)
    assert loaded.name == name
    for stage in (loaded.lungs, loaded.infection):
        assert isinstance(stage, Stage)
        size = [side // 2 for side in stage.size]  # as divisible, and quicker
        network = networks.build(stage.network, stage.arguments).eval()
        with torch.inference_mode():
            assert network(torch.zeros(1, stage.slices, *size)).shape == (1, 1, *size)


def test_the_recipes_of_the_paper_and_of_the_default_model_are_there() -> None:
    assert {"chs-net", "unet-cascade"} <= set(recipe.names())


def load(tmp_path: Path, text: str | bytes, name: str = "tiny.toml") -> recipe.Recipe:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return recipe.load(str(path))


def test_values_come_with_the_types_that_the_dataclasses_name(tmp_path: Path) -> None:
    tiny = load(tmp_path, GOOD)
    assert tiny.lungs == Stage(
        network="RAIUNet",
        arguments={"in_channels": 3, "features": 4},
        region="body",
        size=(32, 48),
        window_hu=(-1000.0, 200.5),
        slices=3,
        slice_step_mm=2.5,
        margin_mm=4.0,
        mask_margin_mm=None,
    )
    assert isinstance(tiny.lungs.margin_mm, float)
    assert tiny.infection.mask_margin_mm == 8.0
    assert tiny.training.epochs == {"lungs": 2, "infection": 3}
    assert tiny.training.schedule == "one-cycle"
    assert tiny.reported == {}


@pytest.mark.parametrize("name", ["unknown", "", "none.toml", "recipes"])
def test_an_unknown_recipe_is_told_with_those_that_are_there(name: str) -> None:
    with pytest.raises(InputError, match=rf"There is no recipe “{name}”; the recipes are: .*unet-cascade"):
        recipe.load(name)


@pytest.mark.parametrize("text", ["[lungs", "a = ", "a = 1\na = 2", b'title = "\xff"'])
def test_broken_toml_is_told_with_its_place(tmp_path: Path, text: str | bytes) -> None:
    with pytest.raises(InputError, match=r"The recipe tiny\.toml is not valid TOML: "):
        load(tmp_path, text)


#: What stands in GOOD, what takes its place, and what must be told.
WRONG = [
    ('title = "Tiny"', "", r"tiny\.toml lacks the key “title”"),
    ('title = "Tiny"', 'title = ["Tiny"]', r"tiny\.toml .* “title”; it must be a text"),
    ('title = "Tiny"', 'tilte = "Tiny"', r"tiny\.toml has an unknown key “tilte”; allowed are: name, title, "),
    ("slices = 3", "slice = 3", r"tiny\.toml \[lungs\] has an unknown key “slice”; allowed are: network, .*slices"),
    ("batch = 4", "", r"tiny\.toml \[training\] lacks the key “batch”"),
    ("[training]", "[[training]]", r"tiny\.toml .* “training”; it must be a table"),
    ("batch = 4", 'batch = "4"', r"\[training\] .* “batch”; it must be a whole number"),
    ("batch = 4", "batch = 4.0", "“batch”; it must be a whole number"),
    ("batch = 4", "batch = true", "“batch”; it must be a whole number"),
    ("batch = 4", "batch = 0", "“batch”; it must be above 0"),
    ("lungs = 2", 'lungs = "two"', r"\[training\] .* “epochs.lungs”; it must be a whole number"),
    ("lungs = 2", "lungs = 0", "“epochs.lungs”; it must be above 0"),
    ("lungs = 2, ", "", "“epochs”; it must be a number for lungs and one for infection"),
    ("lungs = 2", "lung = 2", "“epochs”; it must be a number for lungs and one for infection"),
    ("{ lungs = 2, infection = 3 }", "5", "“epochs”; it must be a table"),
    ("learning_rate = 0.01", "learning_rate = nan", "“learning_rate”; it must be a number"),
    ("learning_rate = 0.01", "learning_rate = 0", "“learning_rate”; it must be above 0"),
    ("batch = 4", 'batch = 4\nschedule = "cosine"', "“schedule”; it must be one of one-cycle, constant"),
    ("batch = 4", "batch = 4\naverage = 1.0", "“average”; it must be from 0 to below 1"),
    ("batch = 4", "batch = 4\nweight_decay = -0.1", "“weight_decay”; it must be 0 or more"),
    ("size = [32, 48]", "size = [32, 48, 16]", r"\[lungs\] .* “size”; it must be a list of 2 numbers"),
    ("size = [32, 48]", "size = 32", "“size”; it must be a list of 2 numbers"),
    ("size = [32, 48]", "size = [32, 48.5]", "“size”; it must be a whole number"),
    ("size = [32, 48]", "size = [0, 48]", "“size”; it must be above 0"),
    ("window_hu = [-1000, 200.5]", "window_hu = [200, -1000]", "“window_hu”; it must be .low, high. with low < high"),
    ("window_hu = [-1000, 200.5]", "window_hu = [0, 0]", "“window_hu”; it must be .low, high. with low < high"),
    ("window_hu = [-1000, 200.5]", "window_hu = [-1000, inf]", "“window_hu”; it must be a number"),
    ('region = "body"', 'region = "chest"', r"\[lungs\] .* “region”; it must be one of slice, body\."),
    ('region = "body"', 'region = "lungs"', "“region”; it must be one of slice, body"),
    ('region = "lungs"', 'region = "lung"', r"\[infection\] .* “region”; it must be one of slice, body, lungs"),
    ("slices = 3", "slices = 2", "“slices”; it must be an odd number above 0"),
    ("slices = 3", "slices = -1", "“slices”; it must be an odd number above 0"),
    ("slices = 3", "slices = 5", r"\[lungs\] .* “arguments.in_channels”; it must be 5 where slices = 5"),
    ("margin_mm = 4", "margin_mm = -4", "“margin_mm”; it must be 0 or more"),
    ("margin_mm = 4", "slice_step_mm = 0", "“slice_step_mm”; it must be above 0"),
    ("margin_mm = 4", "mask_margin_mm = 4", r"\[lungs\] .* “mask_margin_mm”; it must be left out"),
    ("mask_margin_mm = 8.0", 'mask_margin_mm = "8"', r"\[infection\] .* “mask_margin_mm”; it must be a number"),
    ("mask_margin_mm = 8.0", "mask_margin_mm = -8", "“mask_margin_mm”; it must be 0 or more"),
    ('network = "RAIUNet"', 'network = "UNet"', r"\[lungs\] .* “network”; it must be one of .*RAIUNet.*DynUNet"),
    ("features = 4 }", "feature = 4 }", r"\[lungs\] has “arguments” that RAIUNet does not take: .*feature"),
    ("features = 4 }", "out_channels = 2 }", "“arguments.out_channels”; it must be 1"),
    ("features = 4 }", "spatial_dims = 3 }", "“arguments.spatial_dims”; it must be 2"),
]


@pytest.mark.parametrize(("there", "instead", "told"), WRONG)
def test_what_is_wrong_is_told_with_file_key_and_what_is_allowed(
    tmp_path: Path, there: str, instead: str, told: str
) -> None:
    assert there in GOOD
    text = GOOD.replace(there, instead, 1)
    tomllib.loads(text)  # it is TOML
    with pytest.raises(InputError, match=r"^The recipe tiny\.toml ") as caught:
        load(tmp_path, text)
    assert re.search(told, str(caught.value)), str(caught.value)


def test_recipes_say_where_they_come_from() -> None:
    for path in RECIPES.glob("*.toml"):
        assert len(recipe.load(path.stem).source) > 20
