"""Seed and epoch determine the training samples; workers, processes and earlier epochs do not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from support.stages import patch_stage, slice_stage
from support.tiny_case import chest_case
from torch.utils.data import Dataset

from CovidSegLib.errors import InputError
from CovidSegLib.recipe import Augmentation
from CovidSegLib.training.distributed import ProcessGroup
from CovidSegLib.training.patch_dataset import PatchDataset
from CovidSegLib.training.sampler import EpochSampler, build_loader
from CovidSegLib.training.slice_dataset import SliceDataset
from CovidSegLib.volume import AxialScan, AxialSpacing

#: These draw from MONAI's generators; slices also draw from torch's generator.
AUGMENTATION = (Augmentation("mirror", probability=0.5), Augmentation("noise"))


def slices() -> Dataset:
    return SliceDataset([chest_case()], slice_stage(), "infection", True, (Augmentation("chest-ct"), *AUGMENTATION))


def patches() -> Dataset:
    return PatchDataset([chest_case()], patch_stage(), "infection", AUGMENTATION)


def images_of(data: Dataset, sampler: EpochSampler, epoch: int, workers: int = 0) -> torch.Tensor:
    """Return all images of an epoch."""
    sampler.epoch = epoch
    return torch.stack([image for image, _ in build_loader(data, sampler, workers)])


@pytest.mark.parametrize("make", [slices, patches])
def test_an_epoch_depends_neither_on_earlier_epochs_nor_on_workers(make: type[Dataset]) -> None:
    first, again = make(), make()
    uninterrupted = [images_of(first, EpochSampler(12, 4, None, 7), epoch) for epoch in (0, 1)]
    torch.rand(5)
    for workers in (0, 1, 2):
        torch.testing.assert_close(
            images_of(again, EpochSampler(12, 4, None, 7), 1, workers), uninterrupted[1], rtol=0, atol=0
        )
    assert not torch.equal(*uninterrupted)
    assert not torch.equal(images_of(again, EpochSampler(12, 4, None, 8), 1), uninterrupted[1])


def test_preparing_data_leaves_the_generator_of_dropout_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    images_of(slices(), EpochSampler(12, 4, None, 7), 0)
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)


def test_each_item_is_drawn_once_before_any_is_drawn_again() -> None:
    sampler = EpochSampler(10, 4, 5, 0)
    items = [item for batch in sampler for item, _ in batch]
    assert len(sampler) == 5
    assert sorted(items[:10]) == sorted(items[10:]) == list(range(10))
    assert items[:10] != items[10:]
    assert max(Counter(seed for batch in sampler for _, seed in batch).values()) == 1


def test_items_are_drawn_in_proportion_to_their_weights() -> None:
    weights = torch.tensor([1.0, 1.0, 5.0, 2.5, 0.5])
    times: Counter[int] = Counter()
    sampler = EpochSampler(5, 4, 5, 0, weights=weights)
    for epoch in range(50):
        sampler.epoch = epoch
        drawn = Counter(item for batch in sampler for item, _ in batch)
        for item, weight in enumerate(weights):  # 20 draws for a total weight of 10
            assert abs(drawn[item] - 2 * float(weight)) <= 1
        times += drawn
    assert [times[item] / 50 for item in range(5)] == pytest.approx([2, 2, 10, 5, 1], abs=0.2)


def test_weighted_items_are_drawn_in_a_random_order_that_the_seed_determines() -> None:
    samplers = [EpochSampler(6, 3, 4, seed, weights=torch.ones(6)) for seed in (1, 1, 2)]
    first, again, other = [[item for batch in sampler for item, _ in batch] for sampler in samplers]
    assert first == again != other
    assert Counter(first) == dict.fromkeys(range(6), 2) and first != sorted(first)


def test_slices_are_weighted_by_their_distance() -> None:
    case = chest_case()
    scans = [AxialScan(case.scan.hu, AxialSpacing(mm, 2.0, 2.0)) for mm in (1.0, 5.0)]
    thin, thick = (replace(case, scan=scan) for scan in scans)
    data = SliceDataset([thin, thick], slice_stage(), "infection", True)
    each = len(data) // 2
    assert data.millimetres.tolist() == [1.0] * each + [5.0] * each


def test_kinds_of_cases_have_their_shares() -> None:
    """Within a kind, slices keep the ratio of their weights; a kind that is not named has the share 1."""
    case = chest_case()
    clean = replace(case, masks={**case.masks, "infection": np.zeros_like(case.infection)})
    scan = AxialScan(case.scan.hu[5:6], case.scan.spacing)
    single = replace(
        case,
        scan=scan,
        masks={name: mask[5:6] for name, mask in case.masks.items()},
        known={name: known[5:6] for name, known in case.known.items()},
    )
    data = SliceDataset([case, clean, single], slice_stage(), "infection", True)
    each = (len(data) - 1) // 2
    weights = torch.tensor([1.0] * (each - 1) + [5.0] + [1.0] * each + [7.0])
    shared = data.shared(weights, {"scans": 6.0, "clean-scans": 3.0})
    assert [float(part.sum()) for part in shared.split([each, each, 1])] == pytest.approx([6.0, 3.0, 1.0])
    assert float(shared[each - 1] / shared[0]) == pytest.approx(5.0)


def test_processes_share_the_batches_of_a_single_process() -> None:
    shares = [list(EpochSampler(10, 4, None, 3, ProcessGroup(rank, 2))) for rank in range(2)]
    alone = list(EpochSampler(10, 4, None, 3))
    assert [len(each) for each in alone] == [4, 4]
    for one, two, both in zip(*shares, alone, strict=True):
        assert [*one, *two] == both and len(one) == len(two) == 2


def test_a_batch_that_cannot_be_shared_evenly_is_reported() -> None:
    with pytest.raises(InputError, match="A batch of 4 cannot be shared evenly by 3 processes"):
        EpochSampler(10, 4, None, 0, ProcessGroup(0, 3))
