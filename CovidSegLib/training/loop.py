"""The training loop of one stage: mixed precision, averaged weights, resumable after every epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from monai.utils import set_determinism
from torch import nn

from ..data.case import Case
from ..errors import InputError
from ..figures.slices import SliceView
from ..inference import choose_precision
from ..inference.loaded_stage import LoadedStage
from ..progress import Progress, silent, subprogress
from ..recipe import Stage, Training
from . import checkpoint
from .batch_step import BatchStep
from .distributed import ProcessGroup
from .learner import Learner, memory_layout
from .losses import build_loss
from .patch_dataset import PatchDataset
from .sampler import EpochSampler, build_loader, seed_epoch
from .slice_dataset import SliceDataset
from .targets import known_slices
from .training_log import EpochRecord, TrainingLog
from .validation import validate

LAST, BEST = "last.pt", "best.pt"


@dataclass(frozen=True)
class TrainedStage:
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
    process_group: ProcessGroup = ProcessGroup(),  # noqa: B008 - frozen
    log: Callable[[str], None] = print,
    progress: Progress = silent,
) -> TrainedStage:
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
    data = training_data(name, stage, training, cases)
    if len(data) < training.batch and training.steps_per_epoch is None:
        kind = "slices" if stage.slices else "patches"
        raise InputError(f"There are {len(data)} {kind} to train on, fewer than a batch of {training.batch}.")
    run.mkdir(parents=True, exist_ok=True)
    set_determinism(seed)
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    epochs = training.epochs[name]
    weights = data.millimetres if training.sampling == "millimetres" and isinstance(data, SliceDataset) else None
    order = EpochSampler(len(data), training.batch, training.steps_per_epoch, seed, process_group, weights)
    loader = build_loader(data, order, workers)
    journal = TrainingLog(run, log if process_group.is_main else _mute)
    learner = Learner.build(name, stage, training, epochs * len(loader), journal, device, start)
    step = BatchStep(
        process_group.wrap_network(learner.network, device),
        build_loss(training.loss, training.final_weight),
        device,
        training_precision(stage, device),
        memory_layout(stage),
        process_group,
        journal.log,
    )
    resumed = learner.restore(run / LAST, step)
    if process_group.is_main:
        journal.open(kept=resumed)
    # Tumours, which a network may learn before infections, are not found at inference and so not measured.
    measurable = name in stage.finds and any(known_slices(case, stage).any() for case in validation)
    watch = training.watch if measurable else "loss"
    try:
        for epoch in range(len(journal.rows), epochs):
            if learner.stopping.over:
                break
            started, here = time.monotonic(), subprogress(progress, epoch / epochs, (epoch + 1) / epochs)
            order.epoch = epoch  # a resumed run draws what an unbroken one would have drawn
            seed_epoch(seed, epoch, process_group.rank)
            loss = process_group.mean(learner.learn(loader, step, subprogress(here, 0.0, 0.9)))
            if watch == "loss":
                learner.told(loss)
            dice = None
            if measurable and (_measured(training, epoch) or epoch + 1 == epochs or learner.stopping.over):
                views: list[SliceView] = []
                if process_group.is_main:
                    averaged = LoadedStage(stage, learner.average.module)
                    dice, views = validate(name, averaged, validation, subprogress(here, 0.9, 0.99))
                dice = process_group.broadcast(dice or 0.0)
                journal.draw(epoch + 1, views)
            if watch == "validation-dice" and dice is not None:
                learner.told(1.0 - dice)  # not -dice, of which the plan "plateau" takes an equal one for a lower one
            best = dice is not None and dice > _best(journal.rows)[1]
            journal.add(EpochRecord(epoch + 1, loss, dice, learner.learning_rate, time.monotonic() - started))
            if process_group.is_main:
                if best:
                    checkpoint.save(run / BEST, learner.average.module.state_dict())
                learner.save(run / LAST, step)
                journal.write()
                journal.tell()  # who reads of an epoch can rely on it
            process_group.barrier()
    finally:
        journal.close()
    return _trained(learner, training, run, step.parts)


def _trained(learner: Learner, training: Training, run: Path, parts: int) -> TrainedStage:
    """The weights that the recipe keeps, and how good they are."""
    rows, network = learner.journal.rows, learner.average.module
    best_epoch, highest = _best(rows)
    if training.keep == "best" and best_epoch:
        network.load_state_dict(_weights(run / BEST))
        return TrainedStage(network, len(rows), highest, best_epoch, parts, "best")
    dice = next((row.validation_dice for row in reversed(rows) if row.validation_dice is not None), None)
    return TrainedStage(network, len(rows), dice, best_epoch, parts, "averaged" if training.average else "last")


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


def _best(rows: Sequence[EpochRecord]) -> tuple[int, float]:
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
