"""What a training sees, and when, follows from seed and epoch; not from workers, processes or what was drawn before."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

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

#: What draws from MONAI's generators; the changes of slices draw from torch's besides.
CHANGES = (Augmentation("mirror", probability=0.5), Augmentation("noise"))


def slices() -> Dataset:
    return SliceDataset([chest_case()], slice_stage(), "infection", True, (Augmentation("chest-ct"), *CHANGES))


def patches() -> Dataset:
    return PatchDataset([chest_case()], patch_stage(), "infection", CHANGES)


def seen(data: Dataset, order: EpochSampler, epoch: int, workers: int = 0) -> torch.Tensor:
    """All images of an epoch."""
    order.epoch = epoch
    return torch.stack([image for image, _ in build_loader(data, order, workers)])


@pytest.mark.parametrize("make", [slices, patches])
def test_an_epoch_is_the_same_whatever_came_before_and_whoever_prepares_it(make: type[Dataset]) -> None:
    first, again = make(), make()
    unbroken = [seen(first, EpochSampler(12, 4, None, 7), epoch) for epoch in (0, 1)]
    torch.rand(5)
    for workers in (0, 1, 2):
        torch.testing.assert_close(seen(again, EpochSampler(12, 4, None, 7), 1, workers), unbroken[1], rtol=0, atol=0)
    assert not torch.equal(*unbroken)
    assert not torch.equal(seen(again, EpochSampler(12, 4, None, 8), 1), unbroken[1])


def test_preparing_data_does_not_disturb_the_network_s_dropout() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    seen(slices(), EpochSampler(12, 4, None, 7), 0)
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)


def test_each_item_comes_once_before_one_comes_again() -> None:
    order = EpochSampler(10, 4, 5, 0)
    items = [item for batch in order for item, _ in batch]
    assert len(order) == 5
    assert sorted(items[:10]) == sorted(items[10:]) == list(range(10))
    assert items[:10] != items[10:]
    assert max(Counter(seed for batch in order for _, seed in batch).values()) == 1


def test_items_come_as_often_as_they_weigh() -> None:
    weights = torch.tensor([1.0, 1.0, 5.0, 2.5, 0.5])
    times: Counter[int] = Counter()
    order = EpochSampler(5, 4, 5, 0, weights=weights)
    for epoch in range(50):
        order.epoch = epoch
        drawn = Counter(item for batch in order for item, _ in batch)
        for item, weight in enumerate(weights):  # 20 draws for 10 of weight: twice the weight, to within one
            assert abs(drawn[item] - 2 * float(weight)) <= 1
        times += drawn
    assert [times[item] / 50 for item in range(5)] == pytest.approx([2, 2, 10, 5, 1], abs=0.2)


def test_items_of_weight_follow_from_seed_and_epoch_in_random_order() -> None:
    orders = [EpochSampler(6, 3, 4, seed, weights=torch.ones(6)) for seed in (1, 1, 2)]
    first, again, other = [[item for batch in order for item, _ in batch] for order in orders]
    assert first == again != other
    assert Counter(first) == dict.fromkeys(range(6), 2) and first != sorted(first)


def test_slices_stand_for_the_lung_between_them() -> None:
    thin, thick = (replace(chest_case(), spacing=(mm, 2.0, 2.0)) for mm in (1.0, 5.0))
    data = SliceDataset([thin, thick], slice_stage(), "infection", True)
    each = len(data) // 2
    assert data.millimetres.tolist() == [1.0] * each + [5.0] * each


def test_the_processes_share_each_batch_of_one_order() -> None:
    shares = [list(EpochSampler(10, 4, None, 3, ProcessGroup(rank, 2))) for rank in range(2)]
    alone = list(EpochSampler(10, 4, None, 3))
    assert [len(each) for each in alone] == [4, 4]
    for one, two, both in zip(*shares, alone, strict=True):
        assert [*one, *two] == both and len(one) == len(two) == 2


def test_a_batch_that_cannot_be_shared_is_told() -> None:
    with pytest.raises(InputError, match="A batch of 4 cannot be shared by 3 processes"):
        EpochSampler(10, 4, None, 0, ProcessGroup(0, 3))
