"""The training loop of one stage: bfloat16 where the device has it, averaged weights, resumable after every epoch."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path

import numpy as np
import torch
from monai.data import worker_init_fn
from monai.utils import set_determinism
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, RandomSampler

from .. import networks
from ..errors import InputError
from ..recipe import Stage, Training
from .losses import build_loss
from .optimisation import EarlyStopping, build_optimiser, build_schedule
from .slices import SliceDataset


def train_stage(
    stage: Stage,
    training: Training,
    epochs: int,
    train: SliceDataset,
    validation: SliceDataset,
    run: Path,
    seed: int = 0,
) -> nn.Module:
    """Train one stage's network and return it with averaged weights; goes on from `run` where it was broken off.

    Args:
        stage: The network and what it sees.
        training: How it is trained.
        epochs: Passes over `train`.
        train, validation: Slices.
        run: Folder for checkpoint.pt, metrics.csv and settings.json; made if need be.
        seed: Of weights, order and augmentation.

    Raises:
        InputError: There are fewer slices than a batch takes.
    """
    if len(train) < training.batch:
        raise InputError(f"There are {len(train)} slices to train on, fewer than a batch of {training.batch}.")
    run.mkdir(parents=True, exist_ok=True)
    set_determinism(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    layout = torch.channels_last
    network = networks.build(stage.network, stage.arguments).to(device)
    network = network.to(memory_format=layout)  # type: ignore[call-overload]
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(training.average), use_buffers=True)
    optimiser = build_optimiser(training.optimiser, network.parameters())
    sampler = RandomSampler(train, num_samples=training.steps_per_epoch and training.steps_per_epoch * training.batch)
    loader = DataLoader(
        train, training.batch, sampler=sampler, drop_last=True, num_workers=2, worker_init_fn=worker_init_fn
    )
    schedule = build_schedule(training.schedule, optimiser, epochs * len(loader))
    stopping = EarlyStopping(training.early_stopping)
    parts = (network, averaged, optimiser, schedule, stopping)
    first = _resume(run, *parts)
    loss_function = build_loss(training.loss, training.final_weight)
    for epoch in range(first, epochs):
        if stopping.over:
            break
        torch.manual_seed(seed * 1000 + epoch)  # a resumed run draws what an unbroken one would have drawn
        started, losses = time.monotonic(), []
        network.train()
        for image, mask in loader:
            image, mask = image.to(device, memory_format=layout), mask.to(device)
            with torch.autocast(device.type, torch.bfloat16):
                logits = network(image)
            loss = loss_function(in_32_bits(logits), mask)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            averaged.update_parameters(network)
            losses.append(float(loss.detach()))
        schedule.epoch(float(np.mean(losses)))
        stopping.epoch(float(np.mean(losses)))
        measured = epoch % 4 == 3 or epoch + 1 == epochs
        dice = slice_dice(averaged.module, validation, device) if measured else None
        _save(run, epoch + 1, *parts)
        _note(run, epoch + 1, float(np.mean(losses)), dice, time.monotonic() - started)
    (run / "settings.json").write_text(json.dumps({"seed": seed, "slices": len(train), "epochs": epochs}))
    return averaged.module


def in_32_bits(logits: torch.Tensor | list[torch.Tensor]) -> torch.Tensor | list[torch.Tensor]:
    """A network's logits in the precision in which losses are taken; those of deep supervision are a list."""
    return [each.float() for each in logits] if isinstance(logits, list) else logits.float()


@torch.inference_mode()
def slice_dice(network: nn.Module, slices: SliceDataset, device: torch.device) -> float:
    """Dice over all pixels of all validation slices together."""
    network.eval()
    overlap = total = 0.0
    for image, mask in DataLoader(slices, 16, num_workers=1):
        with torch.autocast(device.type, torch.bfloat16):
            found = network(image.to(device, memory_format=torch.channels_last)).float().cpu() > 0
        overlap += float((found * mask).sum())
        total += float(found.sum() + mask.sum())
    return 2 * overlap / max(total, 1.0)


def _note(run: Path, epoch: int, loss: float, dice: float | None, seconds: float) -> None:
    """One line of metrics.csv, and the same on the terminal."""
    row = [epoch, f"{loss:.4f}", "" if dice is None else f"{dice:.4f}", f"{seconds:.0f}"]
    with (run / "metrics.csv").open("a", newline="") as file:
        csv.writer(file).writerow(row)
    print(f"{run.name}: epoch {row[0]}, loss {row[1]}, validation Dice {row[2] or '-'}, {row[3]} s", flush=True)


def _save(run: Path, epoch: int, *parts: object) -> None:
    """All that a run goes on from, written beside the earlier checkpoint and put in its place when whole."""
    state = {"epoch": epoch, "parts": [part.state_dict() for part in parts]}  # type: ignore[attr-defined]
    torch.save(state, run / "checkpoint.new")
    (run / "checkpoint.new").replace(run / "checkpoint.pt")


def _resume(run: Path, *parts: object) -> int:
    """Load the checkpoint of `run` into the parts, if there is one; the number of epochs done."""
    if not (run / "checkpoint.pt").exists():
        return 0
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    for part, saved in zip(parts, state["parts"], strict=True):
        part.load_state_dict(saved)  # type: ignore[attr-defined]
    return int(state["epoch"])
