"""The one path runs every recipe, and says of untrained networks that they mean nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from support.figures import texts
from support.phantoms import COARSE, dice, phantom_on

from CovidSegLib import recipes
from CovidSegLib.errors import InputError
from CovidSegLib.figures.overview import UNTRAINED, overview_figure
from CovidSegLib.models.loading import load_stages
from CovidSegLib.models.untrained import untrained_model
from CovidSegLib.pipeline import segment
from CovidSegLib.quantification import quantify
from CovidSegLib.recipe import Recipe, Stage

pytestmark = pytest.mark.usefixtures("one_thread")
#: The networks narrowed, so that two processors run them in a second.
NARROW: dict[str, dict[str, Any]] = {
    "QCHCUNet": {"features": 2},
    "RAUNet": {"features": 4, "patch_size": [32, 64, 64]},
    "CovidSegNet": {"features": 4},
    "FVPASPPUNet": {"features": 4},
    "RAIUNet": {"features": 4},
    "UNet": {"features": [2, 2, 4, 4, 4, 2]},
    "AutoEncoder": {"channels": [2, 2, 4, 4, 4]},
    "VNet": {},
    "UNetPlusPlus": {"features": [2, 2, 2, 2, 2, 2]},
    "AttentionUNet": {"channels": [2, 2, 4, 4, 4]},
    "SegResNet": {"init_filters": 8},
    "DynUNet": {"filters": [4, 4, 4, 4, 4, 4]},
}
#: Whose own networks find no lungs.
ALONE = {"raiu-net", "ra-unet", "fv-paspp-ds-unet", *(name for name in recipes.names() if name.endswith("-small"))}


def small(stage: Stage) -> Stage:
    """The stage with a narrow network, on smaller slices or patches."""
    arguments = {**stage.arguments, **NARROW[stage.network]}
    if stage.slices is not None:
        if stage.network == "RAUNet":
            arguments["patch_size"] = [64, 64]
        return replace(stage, arguments=arguments, slices=replace(stage.slices, size=(64, 64)))
    assert stage.patches is not None
    depth, height, width = (min(side, limit) for side, limit in zip(stage.patches.size, (32, 64, 64), strict=True))
    spacing = stage.patches.spacing_mm and (8.0, 5.0, 5.0)
    patches = replace(stage.patches, size=(depth, height, width), overlap=0.0, spacing_mm=spacing)
    return replace(stage, arguments=arguments, patches=patches)


def small_recipe(recipe: Recipe) -> Recipe:
    return replace(recipe, infection=small(recipe.infection), lungs=recipe.lungs and small(recipe.lungs))


@pytest.mark.parametrize("name", [name for name in recipes.names() if name != "qc-hc-unet-msd"])
def test_the_pipeline_runs_every_recipe(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    load = recipes.load
    monkeypatch.setattr(
        recipes, "load", lambda wanted, row=None: small_recipe(load(name)) if wanted == name else load(wanted, row)
    )
    phantom = phantom_on(COARSE)
    found = segment(phantom.volume, untrained_model(name))
    assert found.grid == COARSE
    assert any("are untrained: what they mark means nothing" in warning for warning in found.warnings)
    assert found.provenance["model"]["trained"] is False
    assert found.provenance["model"]["sha256"] is None
    assert ("lungs_model" in found.provenance) == (name in ALONE)
    if name in ALONE:  # the lungs are those of a trained model, and no network is asked for what lies outside them
        assert found.provenance["lungs_model"]["sha256"]
        assert dice(found.lungs > 0, phantom.lungs > 0) > 0.9
    assert not found.probability[found.lungs == 0].any()
    assert quantify(phantom.volume, found)["warnings"]


def test_a_row_of_an_ablation_has_networks_of_its_own() -> None:
    loaded = load_stages(untrained_model("chs-net", "BU"), torch.device("cpu"), ["lungs"])
    whole = load_stages(untrained_model("chs-net"), torch.device("cpu"), ["lungs"])
    sizes = [sum(each.numel() for each in found["lungs"].network.parameters()) for found in (loaded, whole)]
    assert sizes == [7_762_465, 3_992_521]  # its inception blocks have fewer parameters than plain ones
    assert untrained_model("chs-net", "BU").title == "chs-net (BU) (untrained)"


def test_untrained_networks_start_from_a_fixed_seed() -> None:
    first, second = (load_stages(untrained_model("chs-net"), torch.device("cpu"))["lungs"].network for _ in range(2))
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_overview_says_so_in_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    load = recipes.load
    monkeypatch.setattr(recipes, "load", lambda wanted, row=None: small_recipe(load(wanted, row)))
    phantom = phantom_on(COARSE)
    found = segment(phantom.volume, untrained_model("chs-net"))
    shown = texts(overview_figure(phantom.volume, found, quantify(phantom.volume, found)))
    assert UNTRAINED in shown


def test_a_recipe_for_training_before_another_cannot_segment() -> None:
    with pytest.raises(InputError, match="finds tumour but no infection"):
        segment(phantom_on(COARSE).volume, untrained_model("qc-hc-unet-msd"))


def test_an_unknown_recipe_is_told() -> None:
    with pytest.raises(InputError, match="There is no recipe “none”; the recipes are: attention-unet, "):
        untrained_model("none")
