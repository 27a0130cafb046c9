"""Distributed training: one process, or several that `torchrun` started and that train one network together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

#: Logits of a network; a list of them with deep supervision.
Maps = torch.Tensor | list[torch.Tensor]
#: How long the other processes wait while the main process validates.
TIMEOUT = timedelta(hours=6)


@dataclass(frozen=True)
class ProcessGroup:
    """This process and the number of processes that train together.

    Attributes:
        rank: Number of this process, from 0.
        world_size: Number of processes.
    """

    rank: int = 0
    world_size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the process that validates, writes files and reports."""
        return self.rank == 0

    def wrap_network(self, network: nn.Module, device: torch.device) -> nn.Module:
        """Average the gradients of a network over the processes. On GPUs, batch normalisation is synchronised too."""
        if self.world_size == 1:
            return network
        if device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
            return DistributedDataParallel(network, device_ids=[device])
        return DistributedDataParallel(network)

    def gather(self, maps: Maps) -> Maps:
        """Concatenate the maps of all processes. Only this process's own share carries gradients.

        Args:
            maps: The share of this process: (items, channels, *spatial), or a list of such tensors.

        Returns:
            The maps of the whole batch, in the order of the ranks.
        """
        if self.world_size == 1:
            return maps
        if isinstance(maps, list):
            return [self._gather(each) for each in maps]
        return self._gather(maps)

    def _gather(self, maps: torch.Tensor) -> torch.Tensor:
        own = maps.contiguous()
        shares = [torch.empty_like(own) for _ in range(self.world_size)]
        distributed.all_gather(shares, own.detach())
        shares[self.rank] = own
        return torch.cat(shares)

    def mean(self, value: float) -> float:
        """Return the mean of a number over the processes."""
        if self.world_size == 1:
            return value
        device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
        total = torch.tensor(value, dtype=torch.float64, device=device)
        distributed.all_reduce(total)
        return float(total) / self.world_size

    def broadcast(self, value: float) -> float:
        """Return the main process's number in all processes."""
        return self.mean(value * self.world_size if self.is_main else 0.0)

    def barrier(self) -> None:
        """Wait until all processes arrive here."""
        if self.world_size > 1:
            distributed.barrier()


@contextmanager
def process_group(device: torch.device) -> Iterator[ProcessGroup]:
    """Join the processes that `torchrun` started, according to its environment variables; otherwise, train alone."""
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if world_size == 1:
        yield ProcessGroup()
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=TIMEOUT)
    try:
        yield ProcessGroup(distributed.get_rank(), world_size)
    finally:
        distributed.destroy_process_group()
