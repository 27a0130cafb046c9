"""Loss and gradients of one batch, split into micro-batches if the GPU's memory is too small for the whole batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from ..errors import InputError
from .distributed import Maps, ProcessGroup


@dataclass
class BatchStep:
    """Computes the loss of a batch and accumulates its gradients in a network.

    Attributes:
        network: The network, wrapped for distributed training if necessary.
        loss: Takes float32 logits and the mask.
        device: Device of the network.
        precision: Type of the forward pass; the loss is computed in float32.
        layout: Memory layout of the images.
        process_group: The processes that train together.
        log: Receives sentences for the user.
        micro_batches: Number of parts into which a batch is split. It doubles whenever the memory is too small.
    """

    network: nn.Module
    loss: nn.Module
    device: torch.device
    precision: torch.dtype
    layout: torch.memory_format
    process_group: ProcessGroup
    log: Callable[[str], None]
    micro_batches: int = 1

    def __call__(self, image: torch.Tensor, mask: torch.Tensor) -> float:
        """Add the gradients of a batch to those of the network, and return the loss.

        Args:
            image: (batch, channels, *spatial).
            mask: (batch, channels, *spatial).

        Raises:
            InputError: The GPU's memory is too small for a single image.
        """
        while True:
            try:
                return self._accumulate(image, mask)
            except torch.OutOfMemoryError as error:
                self._split_further(len(image), error)

    def _split_further(self, batch: int, error: torch.OutOfMemoryError) -> None:
        """Discard the incomplete gradients and double the number of micro-batches."""
        if self.process_group.world_size > 1:
            # The other processes wait for this one's gradients of the whole batch.
            raise InputError(
                "The memory of a GPU is too small for its share of the batch. Give the recipe a smaller batch."
            ) from error
        if self.micro_batches >= batch:
            raise InputError(
                "The memory of the GPU is too small for a single image of this recipe. Give the recipe a smaller size, "
                "or train on another device."
            ) from error
        self.micro_batches = min(2 * self.micro_batches, batch)
        self.network.zero_grad(set_to_none=True)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        self.log(
            f"The memory of the GPU is too small for the batch. It is processed in {self.micro_batches} parts now, and "
            "their gradients are accumulated."
        )

    def _accumulate(self, image: torch.Tensor, mask: torch.Tensor) -> float:
        total = 0.0
        parts = zip(image.chunk(self.micro_batches), mask.chunk(self.micro_batches), strict=True)
        for images, masks in parts:
            images = images.to(self.device, memory_format=self.layout)
            with torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
                logits = self.network(images)
            share = len(images) / len(image)
            # The Dice of a batch is not the mean of its shares: every process computes the loss of the whole batch.
            all_logits = self.process_group.gather(to_float32(logits))
            loss = self.loss(all_logits, self.process_group.gather(masks.to(self.device)))
            # Each process has the gradient through its own share. DistributedDataParallel averages these gradients; the
            # factor makes the average their sum.
            factor = share * self.process_group.world_size
            (loss if factor == 1 else factor * loss).backward()
            total += share * float(loss.detach())
        return total


def to_float32(logits: Maps) -> Maps:
    """Convert a network's logits, or its list of logits with deep supervision, to the type of the losses."""
    return [each.float() for each in logits] if isinstance(logits, list) else logits.float()
