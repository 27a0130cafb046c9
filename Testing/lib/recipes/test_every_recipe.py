"""The pipeline runs every recipe, and warns that masks from untrained networks are meaningless."""

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
#: Arguments of narrow networks, which two processor cores run in a second.
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
    "SegNetVGG16": {"features": 4},
    "UNetVGG16": {"features": 4},
    "UNetPlusPlusResNet50": {"features": 4},
    "InfNet": {"features": 4},
    "DynUNet": {"filters": [4, 4, 4, 4, 4, 4]},
}


def small(stage: Stage) -> Stage:
    """Return the stage with a narrow network and smaller slices or patches."""
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


@pytest.mark.parametrize("name", [name for name in recipes.names() if not name.endswith("-msd")])
def test_the_pipeline_runs_every_recipe(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    load = recipes.load
    monkeypatch.setattr(
        recipes, "load", lambda wanted, row=None: small_recipe(load(name)) if wanted == name else load(wanted, row)
    )
    lungs_from = load(name).lungs_from
    phantom = phantom_on(COARSE)
    result = segment(phantom.volume, untrained_model(name))
    assert result.grid == COARSE
    assert any("are untrained. Their masks are meaningless" in warning for warning in result.warnings)
    assert result.provenance["model"]["trained"] is False
    assert result.provenance["model"]["sha256"] is None
    assert ("lungs_model" in result.provenance) == (lungs_from is not None)
    if lungs_from is not None:  # a trained model finds the lungs, and nothing is predicted outside them
        assert result.provenance["lungs_model"]["sha256"]
        assert dice(result.lungs > 0, phantom.lungs > 0) > 0.9
    assert not result.probability[result.lungs == 0].any()
    assert quantify(phantom.volume, result)["warnings"]


def test_a_row_of_an_ablation_table_has_its_own_networks() -> None:
    row = load_stages(untrained_model("chs-net", "BU"), torch.device("cpu"), ["lungs"])
    complete = load_stages(untrained_model("chs-net"), torch.device("cpu"), ["lungs"])
    sizes = [sum(each.numel() for each in stages["lungs"].network.parameters()) for stages in (row, complete)]
    assert sizes == [7_762_465, 3_992_521]  # inception blocks have fewer parameters than plain ones
    assert untrained_model("chs-net", "BU").title == "chs-net (BU) (untrained)"


def test_untrained_networks_start_from_a_fixed_seed() -> None:
    first, second = (load_stages(untrained_model("chs-net"), torch.device("cpu"))["lungs"].network for _ in range(2))
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_overview_shows_a_warning_about_untrained_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    load = recipes.load
    monkeypatch.setattr(recipes, "load", lambda wanted, row=None: small_recipe(load(wanted, row)))
    phantom = phantom_on(COARSE)
    result = segment(phantom.volume, untrained_model("chs-net"))
    shown = texts(overview_figure(phantom.volume, result, quantify(phantom.volume, result)))
    assert UNTRAINED in shown


def test_a_recipe_for_tumours_does_not_segment_infection() -> None:
    with pytest.raises(InputError, match="finds tumour but no infection"):
        segment(phantom_on(COARSE).volume, untrained_model("qc-hc-unet-msd"))


def test_an_unknown_recipe_is_reported() -> None:
    with pytest.raises(InputError, match=r'There is no recipe "none"\. .* one of: attention-unet, '):
        untrained_model("none")
