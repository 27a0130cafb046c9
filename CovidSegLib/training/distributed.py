"""One process, or many that `torchrun` started and that train one network together (DistributedDataParallel)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

#: A network's logits; those of deep supervision are a list.
Maps = torch.Tensor | list[torch.Tensor]
#: The others wait so long while the first one validates.
TIMEOUT = timedelta(hours=6)


@dataclass(frozen=True)
class ProcessGroup:
    """This process among those that train together.

    Attributes:
        rank: Its number; the first one, 0, validates, writes and speaks.
        count: How many there are.
    """

    rank: int = 0
    world_size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this one writes."""
        return self.rank == 0

    def wrap_network(self, network: nn.Module, device: torch.device) -> nn.Module:
        """The network with gradients averaged over the processes, on a GPU with the batch's norms too."""
        if self.world_size == 1:
            return network
        if device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
            return DistributedDataParallel(network, device_ids=[device])
        return DistributedDataParallel(network)

    def gather(self, maps: Maps) -> Maps:
        """Maps or masks of the whole batch: the other processes' as they are, and this one's, of which gradients are.

        Args:
            maps: This process's share: (items, channels, *spatial), or a list of such.
        """
        if self.world_size == 1:
            return maps
        if isinstance(maps, list):
            return [_tensor(self.gather(each)) for each in maps]
        own = maps.contiguous()
        shares = [torch.empty_like(own) for _ in range(self.world_size)]
        distributed.all_gather(shares, own.detach())
        shares[self.rank] = own
        return torch.cat(shares)

    def mean(self, value: float) -> float:
        """The mean of a number over the processes."""
        if self.world_size == 1:
            return value
        device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
        total = torch.tensor(value, dtype=torch.float64, device=device)
        distributed.all_reduce(total)
        return float(total) / self.world_size

    def broadcast(self, value: float) -> float:
        """The first process's number, in all of them."""
        return self.mean(value * self.world_size if self.is_main else 0.0)

    def barrier(self) -> None:
        """Until all have come here."""
        if self.world_size > 1:
            distributed.barrier()


def _tensor(maps: Maps) -> torch.Tensor:
    assert isinstance(maps, torch.Tensor)
    return maps


@contextmanager
def process_group(device: torch.device) -> Iterator[ProcessGroup]:
    """Those that `torchrun` started, as its environment says; else this one alone."""
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
