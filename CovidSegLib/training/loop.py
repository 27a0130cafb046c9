"""The training loop of one stage: mixed precision, averaged weights, resumable after every epoch."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from monai.data import worker_init_fn
from monai.utils import set_determinism
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, RandomSampler

from .. import networks
from ..data.case import Case
from ..errors import InputError
from ..evaluation.overlap import Counts
from ..inference import LoadedStage, choose_precision, predict
from ..networks.weights import load_fitting_state
from ..progress import silent
from ..recipe import Stage, Training
from .losses import build_loss
from .optimisation import EarlyStopping, build_optimiser, build_schedule
from .patches import PatchDataset
from .slices import SliceDataset
from .targets import known_slices


def train_stage(
    name: str,
    stage: Stage,
    training: Training,
    cases: Sequence[Case],
    validation: Sequence[Case],
    run: Path,
    seed: int = 0,
    start: Mapping[str, torch.Tensor] | None = None,
) -> nn.Module:
    """Train one stage's network and return it with averaged weights; goes on from `run` where it was broken off.

    Args:
        name: "lungs" or "infection".
        stage: The network and what it sees.
        training: How it is trained.
        cases: Scans to learn from.
        validation: Scans to measure on, whose patients are not among the others.
        run: Folder for checkpoint.pt, metrics.csv and settings.json; made if need be.
        seed: Of weights, order and augmentation.
        start: Weights of a similar network to start from, as far as they fit; random weights if None.

    Raises:
        InputError: There are fewer slices or patches than a batch takes, or no masks of what is to be learnt.
    """
    train = training_data(name, stage, training, cases)
    if len(train) < training.batch and training.steps_per_epoch is None:
        kind = "slices" if stage.slices else "patches"
        raise InputError(f"There are {len(train)} {kind} to train on, fewer than a batch of {training.batch}.")
    run.mkdir(parents=True, exist_ok=True)
    set_determinism(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision = training_precision(stage, device)
    layout = torch.channels_last if stage.slices else torch.channels_last_3d
    network = networks.build(stage.network, stage.arguments)
    if start is not None:
        anew = load_fitting_state(network, start)
        print(f"{name}: starts from other weights, but for {', '.join(anew) or 'none'}", flush=True)
    network = network.to(device)
    network = network.to(memory_format=layout)  # type: ignore[call-overload]
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(training.average), use_buffers=True)
    optimiser = build_optimiser(training.optimiser, network.parameters())
    items = training.steps_per_epoch and training.steps_per_epoch * training.batch
    loader = DataLoader(
        train,
        training.batch,
        sampler=RandomSampler(train, num_samples=items),
        drop_last=True,
        num_workers=2,
        worker_init_fn=worker_init_fn,
    )
    schedule = build_schedule(training.schedule, optimiser, training.epochs[name] * len(loader))
    stopping = EarlyStopping(training.early_stopping)
    parts = (network, averaged, optimiser, schedule, stopping)
    first = _resume(run, *parts)
    loss_function = build_loss(training.loss, training.final_weight)
    epochs = training.epochs[name]
    for epoch in range(first, epochs):
        if stopping.over:
            break
        torch.manual_seed(seed * 1000 + epoch)  # a resumed run draws what an unbroken one would have drawn
        started, losses = time.monotonic(), []
        network.train()
        for image, mask in loader:
            image, mask = image.to(device, memory_format=layout), mask.to(device)
            with torch.autocast(device.type, precision, enabled=precision != torch.float32):
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
        dice = validation_dice(name, LoadedStage(stage, averaged.module), validation) if measured else None
        _save(run, epoch + 1, *parts)
        _note(run, epoch + 1, float(np.mean(losses)), dice, time.monotonic() - started)
    (run / "settings.json").write_text(json.dumps({"seed": seed, "items": len(train), "epochs": epochs}))
    return averaged.module


def training_precision(stage: Stage, device: torch.device) -> torch.dtype:
    """bfloat16 where the device has it, but float32 for three-dimensional networks on a CPU.

    There torch 2.13 takes the gradient of a convolution's weights from memory that nobody has written, and so gives NaN
    or 1e37 now and then, where maps are two voxels deep and 16 or a multiple of it; forward it is right.
    """
    if device.type == "cuda":
        return torch.bfloat16
    return torch.float32 if stage.patches is not None else choose_precision(device)


def in_32_bits(logits: torch.Tensor | list[torch.Tensor]) -> torch.Tensor | list[torch.Tensor]:
    """A network's logits in the precision in which losses are taken; those of deep supervision are a list."""
    return [each.float() for each in logits] if isinstance(logits, list) else logits.float()


def training_data(name: str, stage: Stage, training: Training, cases: Sequence[Case]) -> SliceDataset | PatchDataset:
    """What a stage's network learns from: slices or patches of cases."""
    if stage.slices is not None:
        return SliceDataset(cases, stage, name, train=True, augmentation=training.augmentation)
    return PatchDataset(cases, stage, name, training.augmentation)


def validation_dice(name: str, loaded: LoadedStage, cases: Sequence[Case]) -> float:
    """Dice of a stage's structure, lungs or infection, over all known voxels of all cases together.

    The infection is found within the true lungs, so that the stage is measured and not the one before it.
    """
    loaded.network.eval()
    counts = Counts()
    for case in cases:
        lungs = case.lungs if name == "infection" and "lungs" not in loaded.stage.finds else None
        found = predict(loaded, case.axial, case.spacing, lungs, silent, name)[name] >= 128
        known = known_slices(case, loaded.stage)
        counts += Counts.of(found[known], (case.lungs if name == "lungs" else case.infection)[known])
    return counts.dice


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
