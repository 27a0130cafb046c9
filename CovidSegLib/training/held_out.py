"""The loss on held-out scans, which QC-HC U-Net draws beside the training loss (Fig. 1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from ..data.case import Case
from .batch_step import BatchStep, to_float32
from .patch_dataset import PatchDataset
from .sampler import Sample, SeededDataset
from .slice_dataset import SliceDataset
from .task import StageTask

#: Batches of held-out slices or patches whose loss is computed.
HELD_OUT_BATCHES = 8


def build_held_out(task: StageTask, cases: Sequence[Case]) -> list[Sample]:
    """Return images and masks of held-out scans without augmentation, the same ones in every epoch.

    They are evenly spaced slices, or patches drawn with fixed seeds: `HELD_OUT_BATCHES` batches at most.
    """
    data: SliceDataset | PatchDataset
    if task.stage.slices is not None:
        data = SliceDataset(cases, task.stage, task.name, train=False)
    else:
        data = PatchDataset(cases, task.stage, task.name)
    count = min(len(data), HELD_OUT_BATCHES * task.training.batch)
    seeded = SeededDataset(data)
    return [seeded[item, item] for item in np.linspace(0, len(data) - 1, count).round().astype(int).tolist()]


def held_out_loss(network: nn.Module, samples: Sequence[Sample], step: BatchStep, task: StageTask) -> float:
    """Return the mean loss of a network over batches of held-out samples.

    Args:
        network: The network, which is put into evaluation mode. With deep supervision only its final output counts.
        samples: Result of `build_held_out`.
        step: The loss, the device and the precision of the training.
        task: The stage and how it is trained.
    """
    network.eval()
    batch, losses = task.training.batch, []
    with torch.no_grad():
        for start in range(0, len(samples), batch):
            images, masks = (torch.stack(parts) for parts in zip(*samples[start : start + batch], strict=True))
            images = images.to(step.device, memory_format=step.layout)
            with torch.autocast(step.device.type, step.precision, enabled=step.precision != torch.float32):
                logits = network(images)
            losses.append(float(step.loss(to_float32(logits), masks.to(step.device))))
    return float(np.mean(losses))
