"""The training loop of one stage: mixed precision, averaged weights, resumable after every epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from monai.utils import set_determinism
from torch import nn

from .. import networks
from ..data.case import Case
from ..errors import InputError
from ..evaluation.pictures import View
from ..inference import LoadedStage, choose_precision
from ..networks.weights import load_fitting_state
from ..progress import Progress, part, silent
from ..recipe import Stage, Training
from . import checkpoint
from .journal import Journal, Row
from .losses import build_loss
from .optimisation import EarlyStopping, averaged, build_optimiser, build_schedule
from .order import Order, make_loader, seed_epoch
from .patches import PatchDataset
from .processes import Processes
from .slices import SliceDataset
from .steps import Stepper
from .targets import known_slices
from .validation import validate

LAST, BEST = "last.pt", "best.pt"


@dataclass(frozen=True)
class Trained:
    """A stage that has been trained.

    Attributes:
        network: With the weights that the recipe keeps: the averaged ones of the last epoch, or of the best.
        epochs: That were trained.
        dice: Of the validation, of those weights; None where the stage finds nothing that can be measured.
        best_epoch: Of which the validation Dice was the highest; 0 where none was measured.
        parts: In how many parts a batch went through the network, for want of memory.
        kept: Which weights these are: "last", "averaged" (also of the last epoch) or "best".
    """

    network: nn.Module
    epochs: int
    dice: float | None
    best_epoch: int
    parts: int
    kept: str = "last"


def train_stage(
    name: str,
    stage: Stage,
    training: Training,
    cases: Sequence[Case],
    validation: Sequence[Case],
    run: Path,
    seed: int = 0,
    start: Mapping[str, torch.Tensor] | None = None,
    *,
    device: torch.device | None = None,
    workers: int = 2,
    processes: Processes = Processes(),  # noqa: B008 - frozen
    say: Callable[[str], None] = print,
    progress: Progress = silent,
) -> Trained:
    """Train one stage's network; goes on from `run` where it was broken off, to the very same end on a CPU.

    Args:
        name: "lungs" or "infection".
        stage: The network and what it sees.
        training: How it is trained.
        cases: Scans to learn from.
        validation: Scans to measure on, whose patients are not among the others; without any, the training loss is
            watched and the last epoch kept.
        run: Folder for last.pt, best.pt, metrics.csv, tensorboard and pictures; made if need be.
        seed: Of weights, order and augmentation.
        start: Weights of a similar network to start from, as far as they fit; random weights if None.
        device: Where; a GPU if there is one.
        workers: Processes that prepare slices and patches, 0 for this one alone; the result is the same.
        processes: Those that train together; only the first one validates and writes.
        say: Takes sentences for the user.
        progress: Told the stage and the fraction of its steps that is done; may raise to cancel.

    Raises:
        InputError: There are fewer slices or patches than a batch takes, or no masks of what is to be learnt; the loss
            is no number any more; memory or disk are too small.
    """
    train = training_data(name, stage, training, cases)
    if len(train) < training.batch and training.steps_per_epoch is None:
        kind = "slices" if stage.slices else "patches"
        raise InputError(f"There are {len(train)} {kind} to train on, fewer than a batch of {training.batch}.")
    run.mkdir(parents=True, exist_ok=True)
    set_determinism(seed)
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    layout = torch.channels_last if stage.slices else torch.channels_last_3d
    network = networks.build(stage.network, stage.arguments)
    if start is not None:
        anew = load_fitting_state(network, start)
        say(f"{name}: starts from other weights, but for {', '.join(anew) or 'none'}")
    network = network.to(device)
    network = network.to(memory_format=layout)  # type: ignore[call-overload]
    average = averaged(network, training.average)
    optimiser = build_optimiser(training.optimiser, network.parameters())
    weights = train.millimetres if training.sampling == "millimetres" and isinstance(train, SliceDataset) else None
    order = Order(len(train), training.batch, training.steps_per_epoch, seed, processes, weights)
    loader = make_loader(train, order, workers)
    schedule = build_schedule(training.schedule, optimiser, training.epochs[name] * len(loader))
    stopping, journal = EarlyStopping(training.early_stopping), Journal(run, say if processes.first else _mute)
    parts = (network, average, optimiser, schedule, stopping, journal)
    state = checkpoint.load(run / LAST)
    if state is not None:
        for each, saved in zip(parts, state["parts"], strict=True):
            each.load_state_dict(saved)
    loss = build_loss(training.loss, training.final_weight)
    wrapped = processes.wrap(network, device)
    step = Stepper(wrapped, loss, device, training_precision(stage, device), layout, processes, journal.say)
    step.parts = 1 if state is None else int(state["split"])
    if processes.first:
        journal.open(kept=state is not None)
    epochs = training.epochs[name]
    # Tumours, which a network may learn before infections, are not found at inference and so not measured.
    measurable = name in stage.finds and any(known_slices(case, stage).any() for case in validation)
    watch = training.watch if measurable else "loss"
    try:
        for epoch in range(len(journal.rows), epochs):
            if stopping.over:
                break
            order.epoch = epoch  # a resumed run draws what an unbroken one would have drawn
            seed_epoch(seed, epoch, processes.rank)
            started, losses = time.monotonic(), []
            wrapped.train()
            for number, (image, mask) in enumerate(loader):
                progress(f"Training {name}", (epoch + 0.9 * number / len(loader)) / epochs)
                optimiser.zero_grad(set_to_none=True)
                losses.append(step(image, mask))
                length = float(nn.utils.clip_grad_norm_(network.parameters(), training.clip))
                if not (math.isfinite(losses[-1]) and math.isfinite(length)):
                    raise InputError(
                        f"In epoch {epoch + 1} of {name} the {'gradient' if math.isfinite(losses[-1]) else 'loss'} is "
                        "no number any more; lower the learning rate of the recipe. The checkpoint of the epoch before "
                        "is kept."
                    )
                optimiser.step()
                schedule.step()
                average.update_parameters(network)
            mean = processes.mean(float(np.mean(losses)))
            if watch == "loss":
                schedule.epoch(mean)
                stopping.epoch(mean)
            dice = None
            validating = part(progress, (epoch + 0.9) / epochs, (epoch + 0.99) / epochs)
            if measurable and (_measured(training, epoch) or epoch + 1 == epochs or stopping.over):
                views: list[View] = []
                if processes.first:
                    dice, views = validate(name, LoadedStage(stage, average.module), validation, validating)
                dice = processes.shared(dice or 0.0)
                journal.draw(epoch + 1, views)
            if watch == "validation-dice" and dice is not None:
                schedule.epoch(1.0 - dice)  # not -dice, of which the plan "plateau" takes an equal one for a lower one
                stopping.epoch(1.0 - dice)
            rate = float(optimiser.param_groups[0]["lr"])
            best = dice is not None and dice > _best(journal.rows)[1]
            journal.add(Row(epoch + 1, mean, dice, rate, time.monotonic() - started))
            if processes.first:
                if best:
                    checkpoint.save(run / BEST, average.module.state_dict())
                saved = [each.state_dict() for each in parts]
                checkpoint.save(run / LAST, {"parts": saved, "split": step.parts})
                journal.write()
                journal.tell()  # who reads of an epoch can rely on it
            processes.wait()
    finally:
        journal.close()
    best_epoch, highest = _best(journal.rows)
    dice = next((row.validation_dice for row in reversed(journal.rows) if row.validation_dice is not None), None)
    kept = "averaged" if training.average else "last"
    if training.keep == "best" and best_epoch:
        average.module.load_state_dict(_weights(run / BEST))
        dice, kept = highest, "best"
    return Trained(average.module, len(journal.rows), dice, best_epoch, step.parts, kept)


def training_precision(stage: Stage, device: torch.device) -> torch.dtype:
    """bfloat16 where the device has it, but float32 for three-dimensional networks on a CPU.

    There torch 2.13 takes the gradient of a convolution's weights from memory that nobody has written, and so gives NaN
    or 1e37 now and then, where maps are two voxels deep and 16 or a multiple of it; forward it is right.
    """
    if device.type == "cuda":
        return torch.bfloat16
    return torch.float32 if stage.patches is not None else choose_precision(device)


def training_data(name: str, stage: Stage, training: Training, cases: Sequence[Case]) -> SliceDataset | PatchDataset:
    """What a stage's network learns from: slices or patches of cases."""
    if stage.slices is not None:
        return SliceDataset(cases, stage, name, train=True, augmentation=training.augmentation)
    return PatchDataset(cases, stage, name, training.augmentation)


def _measured(training: Training, epoch: int) -> bool:
    """Whether the validation of an epoch, counted from 0, is needed, or its turn."""
    needed = training.early_stopping is not None or training.schedule.name == "plateau"
    always = training.keep == "best" or (needed and training.watch == "validation-dice")
    return always or (epoch + 1) % training.validate_every == 0


def _best(rows: Sequence[Row]) -> tuple[int, float]:
    """The epoch with the highest validation Dice, the first of several, and that Dice; 0 and -1 where none has any."""
    measured = [(row.validation_dice, -row.epoch) for row in rows if row.validation_dice is not None]
    if not measured:
        return 0, -1.0
    dice, epoch = max(measured)
    return -epoch, dice


def _weights(path: Path) -> dict[str, torch.Tensor]:
    state = checkpoint.load(path)
    if state is None:
        raise InputError(f"“{path.name}”, which held the best weights of the run, is gone; train this stage anew.")
    return state


def _mute(message: str) -> None:
    """Of several processes, one speaks."""
