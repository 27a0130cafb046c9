"""Synthetic consolidations and gas in training slices."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.stages import slice_stage
from support.tiny_case import chest_case

from CovidSegLib.recipe import Augmentation, Stage
from CovidSegLib.training.augmentation import HU_AUGMENTATIONS, build_augmentation
from CovidSegLib.training.slice_dataset import SliceDataset
from CovidSegLib.training.synthetic_lesions import CONSOLIDATION_HU, MAX_FILLED, TISSUE_HU, RandSyntheticConsolidationd
from CovidSegLib.training.targets import target_mask
from CovidSegLib.training.transform_keys import IMAGE, MASK
from CovidSegLib.volume import AIR_HU

SIGMOID = slice_stage(labels=("lungs", "infection"))
SOFTMAX = slice_stage(labels=("background", "left_lung", "right_lung", "infection"))
LUNGS = slice_stage(labels=("lungs",))
CASE = chest_case()
#: Seeds of the random transforms.
SEEDS = range(12)


def make_sample(stage: Stage) -> dict[str, torch.Tensor]:
    """Return three slices of the case in HU + 1024, with the mask of the middle one."""
    image = torch.from_numpy(CASE.scan.hu[4:7].astype("float32")) - AIR_HU
    return {IMAGE: image, MASK: torch.from_numpy(target_mask(CASE, stage)[:, 5]).float()}


def transform(name: str, stage: Stage, seed: int) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Return a sample before and after a transform."""
    before, sample = make_sample(stage), make_sample(stage)
    augmentation = build_augmentation((Augmentation(name),), "infection", stage, HU_AUGMENTATIONS)
    augmentation.set_random_state(seed)
    after: dict[str, Any] = augmentation(sample)
    for key, value in sample.items():
        assert torch.equal(value, before[key])  # the data set caches its input
    return before, after


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("stage", [SIGMOID, SOFTMAX], ids=["sigmoid", "softmax"])
def test_consolidation_is_dense_and_lies_in_the_lungs_and_becomes_infection(stage: Stage, seed: int) -> None:
    before, after = transform("consolidation", stage, seed)
    lungs = torch.from_numpy(CASE.lungs[5])
    infection = after[MASK][0] == 3 if stage.exclusive else after[MASK][1] == 1
    new = infection & ~torch.from_numpy(CASE.infection[5])
    changed = (after[IMAGE] != before[IMAGE]).any(0)
    assert new.any()
    assert not (changed & ~lungs).any()
    assert not (infection & ~lungs).any()
    assert changed[new].all()
    assert (after[IMAGE] >= before[IMAGE]).all()
    hu = after[IMAGE][1][new] + AIR_HU
    assert hu.mean() > (CONSOLIDATION_HU[0] - 850) / 2  # partial volume at the boundary
    if not stage.exclusive:
        assert torch.equal(after[MASK][0], before[MASK][0])  # dense lung is still lung


@pytest.mark.parametrize("seed", SEEDS)
def test_consolidation_does_not_change_a_mask_of_lungs_alone(seed: int) -> None:
    before, after = transform("consolidation", LUNGS, seed)
    assert torch.equal(after[MASK], before[MASK])
    assert (after[IMAGE] != before[IMAGE]).any()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("stage", [SIGMOID, SOFTMAX, LUNGS], ids=["sigmoid", "softmax", "lungs"])
def test_gas_lies_in_tissue_outside_the_lungs_and_is_background(stage: Stage, seed: int) -> None:
    before, after = transform("gas", stage, seed)
    changed = after[IMAGE] != before[IMAGE]
    assert changed.any()
    assert torch.equal(after[MASK], before[MASK])
    assert not (changed & torch.from_numpy(CASE.lungs[5])).any()
    assert (before[IMAGE][changed] + AIR_HU > TISSUE_HU).all()
    assert (after[IMAGE] >= 0).all()
    assert (after[IMAGE][changed] + AIR_HU).min() < -900


def test_nothing_is_inserted_where_there_is_no_room() -> None:
    """Neither into a slice without lungs, nor into one that is all lung."""
    for name, lung in (("consolidation", 0.0), ("gas", 1.0)):
        image, mask = torch.full((3, 16, 16), 174.0), torch.zeros(2, 16, 16)
        mask[0] = lung
        augmentation = build_augmentation((Augmentation(name),), "infection", SIGMOID, HU_AUGMENTATIONS)
        augmentation.set_random_state(0)
        after: dict[str, Any] = augmentation({IMAGE: image, MASK: mask})
        assert torch.equal(after[IMAGE], image)
        assert torch.equal(after[MASK], mask)


def test_consolidation_leaves_aerated_lung_in_a_slice() -> None:
    """Many consolidations would fill these small lungs; they are not inserted, and others fill a part."""
    rows, columns = torch.meshgrid(torch.arange(96), torch.arange(96), indexing="ij")
    lungs = torch.hypot(rows - 48.0, columns - 48.0) < 9
    shares = []
    for seed in range(40):
        image, mask = torch.full((3, 96, 96), 174.0), torch.stack([lungs, torch.zeros_like(lungs)]).float()
        augmentation = RandSyntheticConsolidationd(SIGMOID, 1.0)
        augmentation.set_random_state(seed)
        augmentation.insert(image, mask)
        shares.append(float(((image[1] - 174) / (image[1].max() - 174 + 1e-6))[lungs].mean()))
    assert max(shares) < MAX_FILLED + 0.05
    assert shares.count(0.0) > 4 and sum(share > 0 for share in shares) > 4


def test_the_recipe_sets_the_probability_and_the_seed_determines_the_result() -> None:
    stage = slice_stage(labels=("lungs", "infection"))
    data = SliceDataset([CASE], stage, "infection", True, (Augmentation("consolidation", probability=0.25),))
    plain = SliceDataset([CASE], stage, "infection", False)

    def mask_of(seed: int) -> torch.Tensor:
        torch.manual_seed(0)  # for the random window
        data.augment_eight_bit.set_random_state(seed)
        return data[5][1]

    changed = sum(not torch.equal(mask_of(seed), plain[5][1]) for seed in range(200))
    assert 30 < changed < 70
    assert all(torch.equal(mask_of(seed), mask_of(seed)) for seed in range(8))
