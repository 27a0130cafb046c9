"""The recipes that come with CovidSeg: all of them build, with the settings of their papers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from support.network_checks import ROWS

from CovidSegLib import networks, recipes
from CovidSegLib.metrics.measurement import OVERLAP_METRICS
from CovidSegLib.recipe import Component, Intensity, Patches, Recipe, Slices, Stage
from CovidSegLib.recipes.ablation import ROW_KEYS
from CovidSegLib.recipes.listing import describe, network_cost
from CovidSegLib.training.augmentation import (
    HU_AUGMENTATIONS,
    INTENSITY_AUGMENTATIONS,
    SPATIAL_AUGMENTATIONS,
    build_augmentation,
)
from CovidSegLib.training.losses import build_loss
from CovidSegLib.training.optimisation import build_optimiser, build_schedule
from CovidSegLib.training.transform_keys import IMAGE, MASK

PAPERS = ("qc-hc-unet", "qc-hc-unet-msd", "ra-unet", "covid-segnet", "fv-paspp-ds-unet", "chs-net", "raiu-net")
BASELINES = (
    *("unet-3d", "fcn-3d", "v-net", "unet-plus-plus", "attention-unet", "segresnet", "nnunet", "nnunet-msd", "inf-net"),
    *("segnet-vgg16", "unet-vgg16", "attention-unet-vgg16", "unet-plus-plus-resnet50"),
)
#: Narrow networks for comparisons on two processor cores.
SMALL = tuple(
    f"{name}-{dims}-small"
    for dims in ("2d", "3d")
    for name in ("unet", "qc-hc-unet", "ra-unet", "covid-segnet", "fv-paspp-ds-unet", "chs-net")
)
#: The published systems in two dimensions, for a small training budget.
TWO_D = tuple(f"{name}-2d" for name in ("qc-hc-unet", "ra-unet", "covid-segnet", "fv-paspp-ds-unet", "chs-net"))


def test_the_library_has_recipes_of_papers_baselines_and_defaults() -> None:
    assert recipes.names() == sorted([*PAPERS, *BASELINES, *SMALL, *TWO_D, "qc-hc-cascade", "unet-cascade"])


@pytest.fixture(params=recipes.names())
def shipped(request: pytest.FixtureRequest) -> Recipe:
    """Each of the library's recipes."""
    loaded = recipes.load(request.param)
    assert loaded.name == request.param
    assert loaded.summary.strip() and loaded.source.strip()
    return loaded


def test_every_recipe_builds_its_networks(shipped: Recipe) -> None:
    """On the meta device: the network takes the input of the recipe and returns a channel for each label."""
    for stage in shipped.stages.values():
        with torch.device("meta"):
            network = networks.build(stage.network, stage.arguments).eval()
            logits = network(torch.empty(1, *stage.input_shape))
        assert logits.shape == (1, len(stage.labels), *stage.input_shape[1:])


def test_every_recipe_builds_its_training(shipped: Recipe) -> None:
    """Loss, optimiser, schedule and augmentation run on a small patch."""
    training = shipped.training
    for name, stage in shipped.stages.items():
        dims, labels = len(stage.input_shape) - 1, len(stage.labels)
        logits = torch.nn.Parameter(torch.randn(2, labels, *[8] * dims))
        classes, channels = (labels, 1) if stage.exclusive else (2, labels)
        mask = torch.randint(0, classes, (2, channels, *[8] * dims))
        optimiser = build_optimiser(training.optimiser, [logits])
        schedule = build_schedule(training.schedule, optimiser, steps=10)
        loss = build_loss(training.loss, training.final_weight)
        before = loss(logits, mask)
        before.backward()
        optimiser.step()
        schedule.step()
        schedule.end_epoch(float(before.detach()))
        with torch.no_grad():
            torch.testing.assert_close(loss([logits, logits], mask), loss(logits, mask))
        image = {IMAGE: torch.rand(1, *[20] * dims) * 1000, MASK: torch.zeros(1, *[20] * dims)}
        for kind in (HU_AUGMENTATIONS, SPATIAL_AUGMENTATIONS, INTENSITY_AUGMENTATIONS):
            augmentation = build_augmentation(training.augmentation, name, stage, kind)
            augmentation.set_random_state(0)
            changed = augmentation(image)
            assert changed[IMAGE].shape == image[IMAGE].shape


def test_reported_results_use_known_structures_and_metrics(shipped: Recipe) -> None:
    rows = shipped.reported.get("ablation", [])
    for row in [shipped.reported, *rows]:
        for structure in set(row) - {"ablation", *ROW_KEYS}:
            assert structure in ("lungs", "infection", "tumour")
            assert row[structure].keys() <= OVERLAP_METRICS.keys()
            assert all(0 <= value <= 1 for value in row[structure].values())
    if shipped.name in PAPERS:
        assert len(rows) >= min(2, len(ROWS[shipped.infection.network]))


@pytest.mark.parametrize("name", PAPERS)
def test_every_row_of_an_ablation_table_can_be_built(name: str) -> None:
    """Rows are arguments of the recipe's network. The last row is the recipe itself, with its reported results."""
    recipe = recipes.load(name)
    *others, last = recipe.reported["ablation"]
    sizes = set()
    for row in [*others, last]:
        with torch.device("meta"):
            built = networks.build(recipe.infection.network, {**recipe.infection.arguments, **row["arguments"]})
        sizes.add(sum(parameter.numel() for parameter in built.parameters()))
        assert row["arguments"] in ROWS[recipe.infection.network], "add it to ROWS, which the tests of networks use"
    assert len(sizes) >= len(others)  # ASPP and ResASPP differ only in sums, not in parameters
    with torch.device("meta"):
        own = networks.build(recipe.infection.network, recipe.infection.arguments)
    assert sum(parameter.numel() for parameter in own.parameters()) in sizes
    structure = next(iter(recipe.infection.finds[-1:]), "tumour")
    assert last[structure] == recipe.reported[structure]


def test_recipes_have_the_settings_of_the_papers() -> None:
    """The settings that the papers state."""
    qc = recipes.load("qc-hc-unet")
    assert qc.infection.intensity == Intensity((-1250.0, 250.0), grey_levels=256, zscore=True)
    assert qc.infection.patches == Patches((80, 160, 160), (2.70, 1.58, 1.58), overlap=0.5)
    assert (qc.training.batch, qc.training.epochs, qc.training.steps_per_epoch) == (2, {"infection": 300}, 150)
    assert qc.training.optimiser.arguments["learning_rate"] == 1e-4
    assert {entry.probability for entry in qc.training.augmentation} == {0.15}
    assert recipes.load("qc-hc-unet-msd").infection.labels == ("background", "tumour")
    ra = recipes.load("ra-unet")
    assert ra.infection.intensity.window_hu == (-1000.0, 1000.0)
    assert ra.infection.patches and ra.infection.patches.size == (32, 192, 192)
    assert (ra.training.batch, ra.training.epochs, ra.training.loss.name) == (4, {"infection": 70}, "dice")
    segnet = recipes.load("covid-segnet")
    assert segnet.infection.patches and segnet.infection.patches.size == (64, 128, 128)
    assert segnet.training.loss == Component("dice-ce", {"dice": 0.5, "ce": 0.5})
    fv = recipes.load("fv-paspp-ds-unet")
    assert fv.infection.patches and fv.infection.patches.size == (8, 128, 128)
    assert (fv.infection.region, fv.infection.mask_margin_mm) == ("whole", 0.0)
    assert (fv.training.batch, fv.training.epochs, fv.training.final_weight) == (5, {"infection": 200}, 0.5)
    inf_net = recipes.load("inf-net")
    assert inf_net.training.final_weight == 1 / 4, "four maps and the outline have equal weights"
    assert inf_net.training.epochs == recipes.load("raiu-net").training.epochs
    chs = recipes.load("chs-net")
    assert chs.lungs and chs.lungs.slices == chs.infection.slices == Slices((256, 256), stretch=True)
    assert chs.training.split and chs.training.split.folds == 5
    assert {recipes.load(name).training.clip for name in PAPERS} == {0.0}, "no paper limits the gradient"
    assert (chs.training.sampling, chs.training.skip_dark, chs.training.lungs) == ("data-sets", True, "target")
    for name in ("unet-3d", "unet-plus-plus"):  # "Each convolutional layer is followed by batch normalization and ReLU"
        arguments = recipes.load(name).infection.arguments
        assert (arguments["norm"], arguments["act"]) == ("batch", "relu")


@pytest.mark.parametrize("name", TWO_D)
def test_the_systems_in_two_dimensions_differ_from_the_papers_in_size_and_budget_only(name: str) -> None:
    own, paper = recipes.load(name), recipes.load(name.removesuffix("-2d"))
    assert (own.training.loss, own.training.augmentation) == (paper.training.loss, paper.training.augmentation)
    assert (own.training.final_weight, own.training.keep) == (paper.training.final_weight, paper.training.keep)
    assert (own.lungs_from, own.stages.keys()) == (paper.lungs_from, paper.stages.keys())
    for stage, of_paper in zip(own.stages.values(), paper.stages.values(), strict=True):
        sizes = {"arguments": {}, "slices": None, "patches": None}
        assert replace(stage, **sizes) == replace(of_paper, **sizes)
        switches = [{**arguments, **dict.fromkeys(("spatial_dims", "in_channels", "features", "patch_size"))}
                    for arguments in (stage.arguments, of_paper.arguments)]  # fmt: skip
        assert switches[0] == switches[1]


# Cost of networks


def test_costs_match_a_count_by_hand() -> None:
    """A convolution has 27 weights per channel, and two operations per weight and voxel."""
    stage = Stage(
        "AutoEncoder",
        {"spatial_dims": 3, "in_channels": 1, "out_channels": 1, "channels": [5], "strides": [1]},
        ("infection",),
        Intensity((0.0, 1.0)),
        "whole",
        patches=Patches((4, 6, 8)),
    )
    network = networks.build(stage.network, stage.arguments)
    weights = [layer.weight.numel() for layer in network.modules() if isinstance(layer, torch.nn.Conv3d)]
    weights += [layer.weight.numel() for layer in network.modules() if isinstance(layer, torch.nn.ConvTranspose3d)]
    cost = network_cost(stage, batch=3)
    assert cost.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert cost.flops == 2 * sum(weights) * 4 * 6 * 8
    image_bytes, maps_bytes = 4 * 6 * 8 * 4, 5 * 4 * 6 * 8 * 4
    kept = cost.training_bytes - 16 * cost.parameters
    assert kept % 3 == 0 and image_bytes + maps_bytes < kept / 3 < 20 * maps_bytes


def test_a_recipe_is_described_with_its_costs() -> None:
    text = describe(recipes.load("chs-net"))
    assert "CHS-Net. Two residual attention" in text
    assert text.count("RAIUNet, 4.0 M parameters, ") == 2
    assert "Punn and Agarwal" in text and "FLOPs for 256 x 256" in text and "GB for training with batches of 8" in text
    assert "lungs: from the model unet-cascade" in describe(recipes.load("ra-unet"))
