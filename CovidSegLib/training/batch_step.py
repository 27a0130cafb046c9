"""One step of training: the loss of a batch, its gradients, in parts where the GPU's memory does not hold it whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from ..errors import InputError
from .distributed import Maps, ProcessGroup


@dataclass
class BatchStep:
    """Takes batches and puts their gradients into a network.

    Attributes:
        network: What is trained, wrapped for several processes if need be.
        loss: Of logits in 32 bits and the mask.
        device: Where the network lies.
        precision: In which it runs; the loss is taken in 32 bits.
        layout: Of the images in memory.
        processes: Those that train together.
        say: Takes sentences for the user.
        parts: In so many parts a batch goes through the network, of which the gradients are added up.
    """

    network: nn.Module
    loss: nn.Module
    device: torch.device
    precision: torch.dtype
    layout: torch.memory_format
    process_group: ProcessGroup
    log: Callable[[str], None]
    parts: int = 1

    def __call__(self, image: torch.Tensor, mask: torch.Tensor) -> float:
        """Add a batch's gradients to those that the network has, and return its loss.

        Args:
            image: (batch, channels, *spatial).
            mask: (batch, channels, *spatial).

        Raises:
            InputError: Not even one of the batch fits into the GPU's memory.
        """
        while True:
            try:
                return self._in_parts(image, mask)
            except torch.OutOfMemoryError as error:
                if self.process_group.world_size > 1:
                    # The others wait for this one's gradients of the whole batch.
                    raise InputError(
                        "The memory of a GPU is too small for its share of the batch; give the recipe a smaller batch."
                    ) from error
                if self.parts >= len(image):
                    raise InputError(
                        "The memory of the GPU is too small for a single image of this recipe; give the recipe a "
                        "smaller size, or train on another device."
                    ) from error
                self.parts = min(2 * self.parts, len(image))
            self.network.zero_grad(set_to_none=True)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            self.log(
                f"The memory of the GPU is too small for the batch: it goes through the network in {self.parts} parts "
                "now, and the gradients are added up."
            )

    def _in_parts(self, image: torch.Tensor, mask: torch.Tensor) -> float:
        total = 0.0
        for images, masks in zip(image.chunk(self.parts), mask.chunk(self.parts), strict=True):
            images = images.to(self.device, memory_format=self.layout)
            with torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
                logits = self.network(images)
            share = len(images) / len(image)
            # Dice over a batch is no mean over its shares: each process takes the loss of the whole.
            whole = self.process_group.gather(in_32_bits(logits))
            loss = self.loss(whole, self.process_group.gather(masks.to(self.device)))
            # Of it each has the gradient through its own share, and their mean is taken: times their number, the sum.
            factor = share * self.process_group.world_size
            (loss if factor == 1 else factor * loss).backward()
            total += share * float(loss.detach())
        return total


def in_32_bits(logits: Maps) -> Maps:
    """A network's logits in the precision in which losses are taken; those of deep supervision are a list."""
    return [each.float() for each in logits] if isinstance(logits, list) else logits.float()
