"""The order of the training samples and their augmentation, determined by seed and epoch alone.

A resumed run therefore sees the same samples as an uninterrupted one, whatever the number of workers, and distributed
processes together see the same samples as a single process.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator

import numpy as np
import torch
from monai.transforms import Compose
from torch.utils.data import DataLoader, Dataset
from torch.utils.data import Sampler as TorchSampler

from ..errors import InputError
from .distributed import ProcessGroup

#: An image (channels, *spatial) and its mask (channels, *spatial).
Sample = tuple[torch.Tensor, torch.Tensor]


def derive_seed(*numbers: int) -> int:
    """Return a 32-bit seed for these non-negative numbers; other numbers have an independent seed."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


class EpochSampler(TorchSampler[list[tuple[int, int]]]):
    """Batches of an epoch; each entry is an index of the data set and the seed of its augmentation.

    Args:
        items: Size of the data set.
        batch: Batch size of all processes together.
        steps: Number of batches of an epoch; None for as many complete batches as the data set has.
        seed: Seed of the training.
        process_group: The processes that train together; this sampler yields the share of the current process.
        weights: Positive weights, one an item. An item is drawn in proportion to its weight, to within one draw an
            epoch. If None, every item is drawn once before any item is drawn again.

    Attributes:
        epoch: Number of the epoch from 0; set it before each iteration.

    Raises:
        InputError: The processes cannot share a batch evenly.
    """

    def __init__(
        self,
        items: int,
        batch: int,
        steps: int | None,
        seed: int,
        process_group: ProcessGroup = ProcessGroup(),  # noqa: B008 - frozen
        weights: torch.Tensor | None = None,
    ) -> None:
        if batch % process_group.world_size:
            raise InputError(
                f"A batch of {batch} cannot be shared evenly by {process_group.world_size} processes. Start a number "
                "of processes that divides the batch."
            )
        self.items, self.batch, self.seed, self.weights = items, batch, seed, weights
        self.steps = steps or items // batch
        self.share = batch // process_group.world_size
        self.offset = process_group.rank * self.share
        self.epoch = 0

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        generator = torch.Generator().manual_seed(derive_seed(self.seed, self.epoch))
        draws = self.steps * self.batch
        order = self._draw(draws, generator).tolist()
        for start in range(self.offset, draws, self.batch):
            positions = range(start, start + self.share)
            yield [(order[position], derive_seed(self.seed, self.epoch, position)) for position in positions]

    def _draw(self, draws: int, generator: torch.Generator) -> torch.Tensor:
        """Return that many indices in random order."""
        if self.weights is None:
            rounds = -(-draws // self.items)
            return torch.cat([torch.randperm(self.items, generator=generator) for _ in range(rounds)])[:draws]
        # Systematic sampling: the shuffled items form a line on which each takes its weight as length; the points drawn
        # lie at equal distances from a random start.
        shuffled = torch.randperm(self.items, generator=generator)
        ends = self.weights.double()[shuffled].cumsum(0)
        points = torch.arange(draws) + torch.rand((), generator=generator).double()
        hit = torch.searchsorted(ends, points * (ends[-1] / draws), right=True).clamp(max=self.items - 1)
        return shuffled[hit][torch.randperm(draws, generator=generator)]


class SeededDataset(Dataset[Sample]):
    """A data set indexed by (index, seed): the seed determines the random numbers of the item.

    Args:
        data: The data set. MONAI transforms among its attributes are seeded, and so is torch's generator.
    """

    def __init__(self, data: Dataset[Sample]) -> None:
        self.data = data
        self.transforms = [value for value in vars(data).values() if isinstance(value, Compose)]

    def __getitem__(self, item: tuple[int, int]) -> Sample:
        index, seed = item
        for transform in self.transforms:
            transform.set_random_state(seed)
        # Without workers, the network's dropout draws from this generator too.
        generator = torch.default_generator
        state = generator.get_state()
        generator.manual_seed(seed)
        try:
            return self.data[index]
        finally:
            generator.set_state(state)


def build_loader(data: Dataset[Sample], sampler: EpochSampler, workers: int) -> DataLoader[Sample]:
    """Return a loader of the sampler's batches.

    Args:
        data: The data set, indexed by integers.
        sampler: Selects the items.
        workers: Number of subprocesses that prepare batches; 0 prepares them in this process.
    """
    return DataLoader(
        SeededDataset(data),
        batch_sampler=sampler,
        num_workers=workers,
        worker_init_fn=_ignore_signals,
        persistent_workers=workers > 0,
        generator=torch.Generator(),  # for seeds that nothing uses; spares the generator of the network's dropout
    )


def seed_epoch(seed: int, epoch: int, rank: int = 0) -> None:
    """Seed what is random outside the data, such as dropout: torch on all devices, numpy and Python."""
    number = derive_seed(seed, epoch, rank)
    torch.manual_seed(number)
    np.random.seed(number)  # noqa: NPY002 - MONAI may draw from it
    random.seed(number)


def _ignore_signals(worker: int) -> None:
    """Leave signals to the training process, which ends its workers: Ctrl-C reaches all processes of a terminal."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
