"""In which order a training sees its data, and how it is changed: all of it follows from seed and epoch alone.

So a resumed run sees what an unbroken one would have seen, with any number of workers, and several processes together
see what one would have seen.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator

import numpy as np
import torch
from monai.transforms import Compose
from torch.utils.data import DataLoader, Dataset, Sampler

from ..errors import InputError
from .distributed import ProcessGroup

Sample = tuple[torch.Tensor, torch.Tensor]


def derive_seed(*numbers: int) -> int:
    """A seed of 32 bits for these numbers, each 0 or more, unlike that for any others."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


class EpochSampler(Sampler[list[tuple[int, int]]]):
    """The batches of an epoch, of (item, seed of its augmentation): each item as often as it weighs, to within one.

    Args:
        items: How many there are.
        batch: The recipe's, of all processes together.
        steps: Steps of an epoch; None for as many whole batches as there are.
        seed: Of the training.
        processes: This one and its like; of every batch it gets its share.
        weights: How much each item counts, above 0; all alike if None, and then each comes once before one comes again.

    Attributes:
        epoch: From 0; to be set before each.

    Raises:
        InputError: The batch cannot be shared evenly.
    """

    def __init__(
        self,
        items: int,
        batch: int,
        steps: int | None,
        seed: int,
        process_group: ProcessGroup = ProcessGroup(),  # noqa: B008
        weights: torch.Tensor | None = None,
    ) -> None:
        if batch % process_group.world_size:
            raise InputError(
                f"A batch of {batch} cannot be shared by {process_group.world_size} processes; start a number that "
                "divides it."
            )
        self.items, self.batch, self.seed, self.weights = items, batch, seed, weights
        self.steps = steps or items // batch
        self.share = batch // process_group.world_size
        self.first = process_group.rank * self.share
        self.epoch = 0

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        generator = torch.Generator().manual_seed(derive_seed(self.seed, self.epoch))
        needed = self.steps * self.batch
        order = self._drawn(needed, generator).tolist()
        for start in range(self.first, needed, self.batch):
            places = range(start, start + self.share)
            yield [(order[place], derive_seed(self.seed, self.epoch, place)) for place in places]

    def _drawn(self, needed: int, generator: torch.Generator) -> torch.Tensor:
        """So many items, in random order."""
        if self.weights is None:
            rounds = -(-needed // self.items)
            return torch.cat([torch.randperm(self.items, generator=generator) for _ in range(rounds)])[:needed]
        # Systematic sampling: the items lie end to end, each as long as it weighs, and steps of one length hit some.
        lined_up = torch.randperm(self.items, generator=generator)
        ends = self.weights.double()[lined_up].cumsum(0)
        steps = torch.arange(needed) + torch.rand((), generator=generator).double()
        hit = torch.searchsorted(ends, steps * (ends[-1] / needed), right=True).clamp(max=self.items - 1)
        return lined_up[hit][torch.randperm(needed, generator=generator)]


class SeededDataset(Dataset[Sample]):
    """A data set whose items are (item, seed): what is random in an item follows from its seed."""

    def __init__(self, data: Dataset[Sample]) -> None:
        self.data = data
        self.changes = [value for value in vars(data).values() if isinstance(value, Compose)]

    def __getitem__(self, item: tuple[int, int]) -> Sample:
        number, seed = item
        for change in self.changes:
            change.set_random_state(seed)
        # Without workers this is the process whose generator the network's dropout draws from.
        generator = torch.default_generator
        before = generator.get_state()
        generator.manual_seed(seed)
        try:
            return self.data[number]
        finally:
            generator.set_state(before)


def build_loader(data: Dataset[Sample], order: EpochSampler, workers: int) -> DataLoader[Sample]:
    """The batches of `order`, made by so many processes beside this one, or by itself if 0."""
    return DataLoader(
        SeededDataset(data),
        batch_sampler=order,
        num_workers=workers,
        worker_init_fn=_ignore_signals,
        persistent_workers=workers > 0,
        generator=torch.Generator(),  # from which it draws seeds that nobody uses, and not from the network's
    )


def seed_epoch(seed: int, epoch: int, rank: int = 0) -> None:
    """Seed what is random outside of the data, as dropout is, for a process: torch on all devices, numpy, Python."""
    number = derive_seed(seed, epoch, rank)
    torch.manual_seed(number)
    np.random.seed(number)  # noqa: NPY002 - MONAI and others may draw from it
    random.seed(number)


def _ignore_signals(worker: int) -> None:
    """Ctrl-C reaches all processes of a terminal; the one that they work for ends them."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
