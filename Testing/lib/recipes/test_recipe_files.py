"""Recipes in files of the user: errors name file, key and allowed values."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from CovidSegLib import recipes
from CovidSegLib.errors import InputError
from CovidSegLib.recipe import Augmentation, Component, Intensity, Patches, Recipe, Slices, Stage

GOOD = """
name = "tiny"
title = "Tiny"
summary = "For tests."
source = "No paper"

[lungs]
network = "RAIUNet"
arguments = { in_channels = 3, out_channels = 2, features = 4 }
labels = ["background", "lungs"]
region = "body"
margin_mm = 4
[lungs.intensity]
window_hu = [-1000, 200.5]
grey_levels = 256
[lungs.slices]
size = [32, 48]
count = 3

[infection]
network = "QCHCUNet"
arguments = { features = 4 }
labels = ["background", "left_lung", "right_lung", "infection"]
region = "lungs"
mask_margin_mm = 8.0
[infection.intensity]
window_hu = [-1250.0, 250.0]
zscore = true
[infection.patches]
size = [16, 32, 48]
spacing_mm = [2.70, 1.58, 1.58]
overlap = 0.25

[training]
epochs = { lungs = 2, infection = 3 }
batch = 4
loss = { name = "tversky-ce", alpha = 0.25 }
optimiser = { name = "adam", learning_rate = 0.01 }
schedule = { name = "plateau", patience = 7 }
augmentation = [{ name = "rotate", degrees = 5, probability = 0.15, only = "lungs" }, { name = "noise" }]
split = { train = 14, validation = 2, test = 4 }
"""

#: A recipe without a network for the lungs.
ALONE = """
name = "alone"
title = "Alone"
summary = "For tests."
source = "No paper"
lungs_from = "unet-cascade"
[infection]
network = "RAIUNet"
arguments = { features = 4 }
labels = ["infection"]
region = "lungs"
intensity = { window_hu = [-1000.0, 400.0] }
slices = { size = [32, 32] }
mask_margin_mm = 0.0
[training]
epochs = { infection = 1 }
batch = 1
loss = { name = "dice" }
optimiser = { name = "sgd", learning_rate = 0.1 }
"""


def load(tmp_path: Path, text: str | bytes, name: str = "tiny.toml") -> Recipe:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return recipes.load(str(path))


def test_values_have_the_types_of_the_dataclasses(tmp_path: Path) -> None:
    tiny = load(tmp_path, GOOD)
    assert tiny.lungs == Stage(
        network="RAIUNet",
        arguments={"in_channels": 3, "out_channels": 2, "features": 4},
        labels=("background", "lungs"),
        intensity=Intensity((-1000.0, 200.5), grey_levels=256, zscore=False),
        region="body",
        slices=Slices((32, 48), count=3, step_mm=2.5),
        margin_mm=4.0,
    )
    assert tiny.lungs and isinstance(tiny.lungs.margin_mm, float)
    assert tiny.infection.patches == Patches((16, 32, 48), (2.7, 1.58, 1.58), 0.25, "constant")
    assert (tiny.lungs.input_shape, tiny.infection.input_shape) == ((3, 32, 48), (1, 16, 32, 48))
    assert (tiny.lungs.finds, tiny.infection.finds) == (("lungs",), ("lungs", "infection"))
    assert list(tiny.stages) == ["lungs", "infection"]
    assert tiny.training.epochs == {"lungs": 2, "infection": 3}
    assert tiny.training.loss == Component("tversky-ce", {"alpha": 0.25})
    assert tiny.training.schedule == Component("plateau", {"patience": 7})
    assert tiny.training.augmentation == (
        Augmentation("rotate", {"degrees": 5}, probability=0.15, only="lungs"),
        Augmentation("noise"),
    )
    assert tiny.reported == {}
    assert load(tmp_path, ALONE).lungs is None


@pytest.mark.parametrize("name", ["unknown", "", "none.toml", "recipes"])
def test_an_unknown_recipe_is_reported_with_the_known_ones(name: str) -> None:
    with pytest.raises(InputError, match=rf'There is no recipe "{name}"\. .*unet-cascade'):
        recipes.load(name)


@pytest.mark.parametrize("text", ["[lungs", "a = ", "a = 1\na = 2", b'title = "\xff"'])
def test_invalid_toml_is_reported_with_its_position(tmp_path: Path, text: str | bytes) -> None:
    with pytest.raises(InputError, match=r"The recipe tiny\.toml is not valid TOML: "):
        load(tmp_path, text)


#: Text in GOOD, its replacement, and the error message.
WRONG = [
    ('title = "Tiny"', "", r'tiny\.toml lacks the key "title"'),
    ('title = "Tiny"', 'title = ["Tiny"]', r'tiny\.toml .* "title"\. It must be a string'),
    ('title = "Tiny"', 'tilte = "Tiny"', r'tiny\.toml has an unknown key "tilte"\. Allowed are: name, title, '),
    (
        "count = 3",
        "slices = 3",
        r'\[lungs\] \[slices\] has an unknown key "slices"\. Allowed are: size, count',
    ),
    ("batch = 4", "", r'tiny\.toml \[training\] lacks the key "batch"'),
    ("[training]", "[[training]]", r'tiny\.toml .* "training"\. It must be a table'),
    ("batch = 4", 'batch = "4"', r'\[training\] .* "batch"\. It must be a whole number'),
    ("batch = 4", "batch = 4.0", '"batch". It must be a whole number'),
    ("batch = 4", "batch = true", '"batch". It must be a whole number'),
    ("batch = 4", "batch = 0", '"batch". It must be above 0'),
    ("batch = 4", "batch = 4\naverage = 1.0", '"average". It must be from 0 to below 1'),
    ("batch = 4", "batch = 4\nearly_stopping = 0", '"early_stopping". It must be above 0'),
    ("batch = 4", "batch = 4\nvalidate_every = 0", '"validate_every". It must be above 0'),
    ("batch = 4", "batch = 4\nwatch = 'dice'", '"watch". It must be one of validation-dice, loss'),
    ("batch = 4", "batch = 4\nkeep = 'all'", '"keep". It must be one of last, best'),
    ("batch = 4", "batch = 4\nsampling = 'voxels'", '"sampling". It must be one of slices, millimetres'),
    ("batch = 4", "batch = 4\nsampling = 'millimetres'", '"sampling". It must be "slices" if a stage has patches'),
    (
        "batch = 4",
        "batch = 4\nshares.infection = { scans = 1 }",
        '"shares". It must be left out if a stage has patches',
    ),
    ("batch = 4", "batch = 4\nshares.heart = { scans = 1 }", '"shares". It must be tables for lungs or infection'),
    (
        "batch = 4",
        "batch = 4\nshares.infection = { mice = 1 }",
        '"shares.infection". It must be numbers for scans',
    ),
    ("batch = 4", "batch = 4\nshares.infection = { scans = 0 }", '"shares.infection". It must be numbers above 0'),
    ("batch = 4", "batch = 4\nclip = -1", '"clip". It must be 0 or more'),
    ("batch = 4", 'batch = 4\nlungs = "predicted"', '"lungs". It must be one of target, as the lungs are not found'),
    ("batch = 4", "batch = 4\nskip_dark = true", '"skip_dark". It must be false if a stage has patches'),
    ("batch = 4", "batch = 4\nsteps_per_epoch = -1", '"steps_per_epoch". It must be above 0'),
    (
        "batch = 4",
        'batch = 4\nstarts_from = "msd"',
        '"starts_from". It must be one of attention-unet, attention-unet-vgg16, chs-net',
    ),
    ("batch = 4", "batch = 4\nfinal_weight = 0", '"final_weight". It must be above 0 and at most 1'),
    ("lungs = 2", 'lungs = "two"', r'\[training\] .* "epochs.lungs"\. It must be a whole number'),
    ("lungs = 2", "lungs = 0", '"epochs.lungs". It must be above 0'),
    ("lungs = 2, ", "", '"epochs". It must be numbers, one for lungs and one for infection'),
    ("lungs = 2", "lung = 2", '"epochs". It must be numbers, one for lungs and one for infection'),
    ("{ lungs = 2, infection = 3 }", "5", '"epochs". It must be a table'),
    ("learning_rate = 0.01", "learning_rate = -1", r'\[optimiser\] .* "learning_rate"\. It must be a number above 0'),
    ("learning_rate = 0.01", 'learning_rate = "fast"', '"learning_rate". It must be a number above 0'),
    (", learning_rate = 0.01", "", r'\[optimiser\] has wrong "arguments" for adam: .*learning_rate'),
    ('"adam"', '"adan"', r'\[optimiser\] .* "name"\. It must be one of adam, sgd'),
    ('"tversky-ce", alpha', '"focal", alpha', r'\[loss\] .* "name"\. It must be one of tversky-ce, dice-ce, dice, '),
    ("alpha = 0.25", "alfa = 0.25", r'\[loss\] has wrong "arguments" for tversky-ce: .*alfa'),
    ('"tversky-ce", alpha = 0.25', '"dice"', '"name". .* tversky-ce, dice-ce, as the labels of lungs exclude each oth'),
    ('"plateau", patience', '"cosine", patience', r'\[schedule\] .* "name"\. It must be one of constant, one-cycle, '),
    ("patience = 7", "patients = 7", r'\[schedule\] has wrong "arguments" for plateau: .*patients'),
    ('name = "noise"', 'name = "noice"', r'\[augmentation 2\] .* "name"\. It must be one of chest-ct, consolidation, '),
    (
        'name = "noise"',
        'name = "chest-ct"',
        r'\[augmentation 2\] .* "name"\. It must be none of chest-ct, consolidation, gas for patches',
    ),
    ("degrees = 5", "degree = 5", r'\[augmentation 1\] has wrong "arguments" for rotate: .*degree'),
    ("probability = 0.15", "probability = 15", '"probability". It must be above 0 and at most 1'),
    ('only = "lungs"', 'only = "lung"', '"only". It must be one of lungs, infection'),
    ("train = 14", "train = 0", r'\[split\] .* "train"\. It must be above 0'),
    ("size = [32, 48]", "size = [32, 48, 16]", r'\[slices\] .* "size"\. It must be a list of 2 numbers'),
    ("size = [32, 48]", "size = 32", '"size". It must be a list of 2 numbers'),
    ("size = [32, 48]", "size = [32, 48.5]", '"size". It must be a whole number'),
    ("size = [32, 48]", "size = [0, 48]", '"size". It must be from 1 to 1024'),
    ("size = [16, 32, 48]", "size = [16, 32]", r'\[patches\] .* "size"\. It must be a list of 3 numbers'),
    ("size = [16, 32, 48]", "size = [16, 32, -1]", r'\[infection\] \[patches\] .* "size"\. It must be from 1 to 1024'),
    ("overlap = 0.25", "overlap = 1", '"overlap". It must be from 0 to 0.9'),
    # A recipe comes with a model of others, and must not take all memory, or days.
    (
        "arguments = { features = 4 }",
        "arguments = { features = 40000 }",
        '"arguments". It must be numbers from -4096',
    ),
    ("arguments = { features = 4 }", "arguments = { features = nan }", '"arguments". It must be numbers from -4096'),
    ("size = [32, 48]", "size = [1000000, 48]", '"size". It must be from 1 to 1024'),
    ("size = [16, 32, 48]", "size = [1000, 1000, 1000]", '"size". It must be at most 16777216 voxels in all'),
    ("overlap = 0.25", "overlap = 0.99", '"overlap". It must be from 0 to 0.9'),
    ("[2.70, 1.58, 1.58]", "[2.70, 1.58, 1e-6]", '"spacing_mm". It must be from 0.1 to 100'),
    ("count = 3", "count = 3001", '"count". It must be an odd number from 1 to 31'),
    ("count = 3", "step_mm = 1e300", '"step_mm". It must be above 0 and at most 1000'),
    ("margin_mm = 4", "margin_mm = 1e300", '"margin_mm". It must be from 0 to 1000'),
    ("mask_margin_mm = 8.0", "mask_margin_mm = 1e300", '"mask_margin_mm". It must be from 0 to 1000'),
    ("window_hu = [-1000, 200.5]", "window_hu = [-1e308, 1e308]", '"window_hu". .* from -100000 to 100000'),
    ("grey_levels = 256", "grey_levels = 1000000000", '"grey_levels". It must be from 2 to 65536'),
    ("overlap = 0.25", 'blend = "linear"', '"blend". It must be one of constant, gaussian'),
    ("overlap = 0.25", "foreground = 1.5", '"foreground". It must be from 0 to 1'),
    ("[2.70, 1.58, 1.58]", "[2.70, 1.58, 0]", '"spacing_mm". It must be from 0.1 to 100'),
    ("[infection.patches]", "[infection.slices]\nsize = [4, 4]\n[infection.patches]", '"slices". .* but not both'),
    ("[lungs.slices]\nsize = [32, 48]\ncount = 3", "", r'\[lungs\] .* "slices"\. It must be given, or "patches"'),
    ("window_hu = [-1000, 200.5]", "window_hu = [200, -1000]", '"window_hu". It must be .low, high. with low < high'),
    ("window_hu = [-1000, 200.5]", "window_hu = [0, 0]", '"window_hu". It must be .low, high. with low < high'),
    ("window_hu = [-1000, 200.5]", "window_hu = [-1000, inf]", '"window_hu". It must be a number'),
    ("grey_levels = 256", "grey_levels = 1", r'\[intensity\] .* "grey_levels"\. It must be from 2 to 65536'),
    ("zscore = true", "zscore = 1", '"zscore". It must be true or false'),
    ('region = "body"', 'region = "chest"', r'\[lungs\] .* "region"\. It must be one of whole, body\.'),
    ('region = "body"', 'region = "lungs"', '"region". It must be one of whole, body'),
    ('region = "lungs"', 'region = "lung"', r'\[infection\] .* "region"\. It must be one of whole, body, lungs'),
    ("count = 3", "count = 2", '"count". It must be an odd number from 1 to 31'),
    ("count = 3", "count = -1", '"count". It must be an odd number from 1 to 31'),
    ("count = 3", "count = 5", r'\[lungs\] .* "arguments.in_channels"\. It must be 5, the number of input slices'),
    ("count = 3", "count = 3\nstep_mm = 0", '"step_mm". It must be above 0'),
    ("margin_mm = 4", "margin_mm = -4", '"margin_mm". It must be from 0 to 1000'),
    ("margin_mm = 4", "mask_margin_mm = 4", r'\[lungs\] .* "mask_margin_mm"\. It must be left out'),
    ("mask_margin_mm = 8.0", 'mask_margin_mm = "8"', r'\[infection\] .* "mask_margin_mm"\. It must be a number'),
    ("mask_margin_mm = 8.0", "mask_margin_mm = -8", '"mask_margin_mm". It must be from 0 to 1000'),
    ('network = "RAIUNet"', 'network = "Unet"', r'\[lungs\] .* "network"\. It must be one of .*RAIUNet.*DynUNet'),
    ("features = 4 }", "feature = 4 }", r'\[lungs\] has wrong "arguments" for RAIUNet: .*feature'),
    ("out_channels = 2, ", "", '"arguments.out_channels". It must be 2, the number of labels'),
    ("features = 4 }", "spatial_dims = 3 }", '"arguments.spatial_dims". It must be 2, as its input is slices'),
    (
        'labels = ["background", "lungs"]',
        "labels = []",
        r'\[lungs\] .* "labels"\. It must be different ones of background, lungs, ',
    ),
    (
        'labels = ["background", "lungs"]',
        'labels = ["liver"]',
        '"labels". It must be different ones of background, lungs, ',
    ),
    ('labels = ["background", "lungs"]', 'labels = ["background"]', '"labels". It must be more than "background"'),
    (
        '["background", "lungs"]',
        '["background", "infection"]',
        r'\[lungs\] .* "labels"\. It must be a list with "lungs"',
    ),
    (
        '["background", "left_lung", ',
        '["left_lung", "background", ',
        '"labels". It must be a list that starts with "b',
    ),
    ('"right_lung", "infection"]', '"right_lung", "lungs"]', r'\[infection\] .* "labels". .* a list with "infection"'),
    (
        'source = "No paper"',
        'source = "No paper"\nlungs_from = "a"',
        '"lungs_from". It must be left out, as a stage',
    ),
]

#: The same for ALONE.
WRONG_ALONE = [
    (
        'lungs_from = "unet-cascade"',
        "",
        r'alone\.toml .* "lungs_from"\. It must be the name of a model',
    ),
    ('labels = ["infection"]', 'labels = ["infection", "lungs"]', r'"arguments.out_channels"\. It must be 2'),
    (
        "batch = 1",
        'batch = 1\naugmentation = [{ name = "gas" }]',
        '"name". .* none of consolidation, gas for a stage that does not find the lungs',
    ),
    ('"dice"', '"dice-ce"', '"name". .* dice, bce-dice, .*, as the labels of infection do not exclude each other'),
]


@pytest.mark.parametrize(("text", "replacement", "message"), WRONG)
def test_errors_name_file_key_and_allowed_values(tmp_path: Path, text: str, replacement: str, message: str) -> None:
    refused(tmp_path, GOOD, "tiny.toml", text, replacement, message)


@pytest.mark.parametrize(("text", "replacement", "message"), WRONG_ALONE)
def test_errors_about_the_lungs_are_reported(tmp_path: Path, text: str, replacement: str, message: str) -> None:
    refused(tmp_path, ALONE, "alone.toml", text, replacement, message)


def test_the_lungs_cannot_be_a_region_before_they_are_known(tmp_path: Path) -> None:
    both = ALONE.replace('lungs_from = "unet-cascade"', "").replace('["infection"]', '["infection", "lungs"]')
    both = both.replace("features = 4", "out_channels = 2")
    refused(
        tmp_path, both, "both.toml", "", "", '"region". It must be whole or body, as the lungs are not known before'
    )
    refused(tmp_path, both, "both.toml", 'region = "lungs"', 'region = "body"', '"mask_margin_mm". It must be left out')


def refused(tmp_path: Path, good: str, file: str, text: str, replacement: str, message: str) -> None:
    assert text in good
    changed = good.replace(text, replacement, 1)
    tomllib.loads(changed)  # still valid TOML
    with pytest.raises(InputError, match=rf"^The recipe {re.escape(file)} ") as caught:
        load(tmp_path, changed, file)
    assert re.search(message, str(caught.value)), str(caught.value)
