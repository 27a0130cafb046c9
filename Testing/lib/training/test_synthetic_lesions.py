"""What is painted into training slices."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.stages import slice_stage
from support.tiny_case import chest_case

from CovidSegLib.recipe import Augmentation, Stage
from CovidSegLib.training.augmentation import HU_AUGMENTATIONS, build_augmentation
from CovidSegLib.training.slice_dataset import SliceDataset
from CovidSegLib.training.synthetic_lesions import CONSOLIDATION_HU, MOST_FILLED, TISSUE_HU, RandSyntheticConsolidationd
from CovidSegLib.training.targets import target_mask
from CovidSegLib.training.transform_keys import IMAGE, MASK
from CovidSegLib.volume import AIR_HU

YES_OR_NO = slice_stage(labels=("lungs", "infection"))
EXCLUSIVE = slice_stage(labels=("background", "left_lung", "right_lung", "infection"))
LUNGS = slice_stage(labels=("lungs",))
CASE = chest_case()
#: So many seeds show each of them at work.
SEEDS = range(12)


def slices(stage: Stage) -> dict[str, torch.Tensor]:
    """Three slices of the case, in HU + 1024, with the middle one's mask."""
    image = torch.from_numpy(CASE.scan.hu[4:7].astype("float32")) - AIR_HU
    return {IMAGE: image, MASK: torch.from_numpy(target_mask(CASE, stage)[:, 5]).float()}


def painted(name: str, stage: Stage, seed: int) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Before and after."""
    before, given = slices(stage), slices(stage)
    change = build_augmentation((Augmentation(name),), "infection", stage, HU_AUGMENTATIONS)
    change.set_random_state(seed)
    after: dict[str, Any] = change(given)
    for key, value in given.items():
        assert torch.equal(value, before[key])  # what was given is somebody's cache
    return before, after


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("stage", [YES_OR_NO, EXCLUSIVE], ids=["sigmoid", "softmax"])
def test_consolidation_is_dense_lies_in_the_lungs_and_is_infection(stage: Stage, seed: int) -> None:
    before, after = painted("consolidation", stage, seed)
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
    assert hu.mean() > (CONSOLIDATION_HU[0] - 850) / 2  # half filled at its rim
    if not stage.exclusive:
        assert torch.equal(after[MASK][0], before[MASK][0])  # dense lung is lung


@pytest.mark.parametrize("seed", SEEDS)
def test_lungs_stay_lungs_where_they_alone_are_learnt(seed: int) -> None:
    before, after = painted("consolidation", LUNGS, seed)
    assert torch.equal(after[MASK], before[MASK])
    assert (after[IMAGE] != before[IMAGE]).any()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("stage", [YES_OR_NO, EXCLUSIVE, LUNGS], ids=["sigmoid", "softmax", "lungs"])
def test_gas_lies_in_tissue_beside_the_lungs_and_is_nothing(stage: Stage, seed: int) -> None:
    before, after = painted("gas", stage, seed)
    changed = after[IMAGE] != before[IMAGE]
    assert changed.any()
    assert torch.equal(after[MASK], before[MASK])
    assert not (changed & torch.from_numpy(CASE.lungs[5])).any()
    assert (before[IMAGE][changed] + AIR_HU > TISSUE_HU).all()
    assert (after[IMAGE] >= 0).all()
    assert (after[IMAGE][changed] + AIR_HU).min() < -900


def test_nothing_is_painted_where_there_is_no_place() -> None:
    """A slice without lungs, and one that is all lung."""
    for name, lung in (("consolidation", 0.0), ("gas", 1.0)):
        image, mask = torch.full((3, 16, 16), 174.0), torch.zeros(2, 16, 16)
        mask[0] = lung
        change = build_augmentation((Augmentation(name),), "infection", YES_OR_NO, HU_AUGMENTATIONS)
        change.set_random_state(0)
        after: dict[str, Any] = change({IMAGE: image, MASK: mask})
        assert torch.equal(after[IMAGE], image)
        assert torch.equal(after[MASK], mask)


def test_no_consolidation_leaves_a_slice_without_aerated_lung() -> None:
    """Of small lungs, which many would fill, some stay as they were and others are painted in part."""
    rows, columns = torch.meshgrid(torch.arange(96), torch.arange(96), indexing="ij")
    lungs = torch.hypot(rows - 48.0, columns - 48.0) < 9
    shares = []
    for seed in range(40):
        image, mask = torch.full((3, 96, 96), 174.0), torch.stack([lungs, torch.zeros_like(lungs)]).float()
        change = RandSyntheticConsolidationd(YES_OR_NO, 1.0)
        change.set_random_state(seed)
        change.paint(image, mask)
        shares.append(float(((image[1] - 174) / (image[1].max() - 174 + 1e-6))[lungs].mean()))
    assert max(shares) < MOST_FILLED + 0.05
    assert shares.count(0.0) > 4 and sum(share > 0 for share in shares) > 4


def test_it_is_painted_as_often_as_the_recipe_says_and_by_the_seed() -> None:
    stage = slice_stage(labels=("lungs", "infection"))
    data = SliceDataset([CASE], stage, "infection", True, (Augmentation("consolidation", probability=0.25),))
    plain = SliceDataset([CASE], stage, "infection", False)

    def seen(seed: int) -> torch.Tensor:
        torch.manual_seed(0)  # of the window
        data.augment_eight_bit.set_random_state(seed)
        return data[5][1]

    often = sum(not torch.equal(seen(seed), plain[5][1]) for seed in range(200))
    assert 30 < often < 70
    assert all(torch.equal(seen(seed), seen(seed)) for seed in range(8))
