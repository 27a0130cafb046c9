"""The training loop of one stage: mixed precision, averaged weights, and a checkpoint after every epoch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from monai.utils import set_determinism
from torch import nn

from ..data.case import Case
from ..errors import InputError
from ..inference.loaded_stage import LoadedStage
from ..progress import Progress, subprogress
from . import checkpoint
from .batch_step import BatchStep
from .execution import Execution, training_precision
from .held_out import build_held_out, held_out_loss
from .learner import Learner, memory_layout
from .losses import build_loss
from .patch_dataset import PatchDataset
from .sampler import EpochSampler, build_loader, seed_epoch
from .slice_dataset import SliceDataset
from .targets import known_slices
from .task import StageTask
from .training_log import EpochRecord, TrainingLog
from .validation import validate

LAST_CHECKPOINT, BEST_WEIGHTS = "last.pt", "best.pt"


@dataclass(frozen=True)
class TrainedStage:
    """The result of training a stage.

    Attributes:
        network: The network with the weights that the recipe keeps.
        epochs: Number of epochs that were trained.
        dice: Validation Dice of these weights; None if the stage cannot be validated.
        best_epoch: Number of the epoch with the highest validation Dice, counted from 1; 0 if none was validated.
        micro_batches: Number of parts into which a batch was split to fit into memory.
        kept: Which weights these are: "last" or "averaged", both of the last epoch, or "best".
    """

    network: nn.Module
    epochs: int
    dice: float | None
    best_epoch: int
    micro_batches: int
    kept: str = "last"


def train_stage(
    task: StageTask,
    train_cases: Sequence[Case],
    validation_cases: Sequence[Case],
    folder: Path,
    execution: Execution | None = None,
) -> TrainedStage:
    """Train the network of one stage, and resume if the folder holds a checkpoint.

    A resumed training ends with the same weights as an uninterrupted one, bit for bit on a CPU.

    Args:
        task: The stage and how it is trained.
        train_cases: Scans to train on.
        validation_cases: Scans of other patients. Without any annotated slice of the stage's structure among them, the
            training loss is monitored and the weights of the last epoch are kept.
        folder: Folder for last.pt, best.pt, metrics.csv, curves.png, tensorboard/ and pictures/; created if necessary.
        execution: Device, workers and reporting; the defaults of `Execution` if None.

    Raises:
        InputError: There are fewer slices or patches than a batch needs, a label has no masks, the loss is not finite,
            or memory or disk space run out.
    """
    return _StageTrainer(task, train_cases, validation_cases, folder, execution or Execution()).run()


class _StageTrainer:
    """Trains a stage epoch by epoch; see `train_stage`."""

    def __init__(
        self,
        task: StageTask,
        train_cases: Sequence[Case],
        validation_cases: Sequence[Case],
        folder: Path,
        execution: Execution,
    ) -> None:
        self.task, self.validation_cases, self.folder, self.execution = task, validation_cases, folder, execution
        self.group = execution.process_group
        dataset = build_dataset(task, train_cases)
        folder.mkdir(parents=True, exist_ok=True)
        set_determinism(task.seed)
        self.sampler = _build_sampler(task, dataset, execution)
        self.loader = build_loader(dataset, self.sampler, execution.workers)
        self.log = TrainingLog(folder, execution.log if self.group.is_main else _discard)
        self.learner = Learner.build(task, task.epochs * len(self.loader), self.log, execution.device)
        self.step = _build_step(task, self.learner.network, execution, self.log)
        self.can_validate = any(known_slices(case, task.stage).any() for case in validation_cases)
        self.monitored = task.training.watch if self.can_validate else "loss"
        held_out = [case for case in validation_cases if known_slices(case, task.stage).any()]
        self.held_out = build_held_out(task, held_out) if self.can_validate and self.group.is_main else []

    def run(self) -> TrainedStage:
        """Train the remaining epochs."""
        resumed = self.learner.restore(self.folder / LAST_CHECKPOINT, self.step)
        if self.group.is_main:
            self.log.open(resumed=resumed)
        epochs = self.task.epochs
        try:
            for epoch in range(len(self.log.records), epochs):
                if self.learner.early_stopping.should_stop:
                    break
                self._run_epoch(epoch, subprogress(self.execution.progress, epoch / epochs, (epoch + 1) / epochs))
        finally:
            self.log.close()
        if self.group.is_main:
            self.log.draw_curves()
        return self._result()

    def _run_epoch(self, epoch: int, progress: Progress) -> None:
        """Train, validate and save one epoch, counted from 0."""
        started = time.monotonic()
        loss = self._train(epoch, subprogress(progress, 0.0, 0.9))
        if self.monitored == "loss":
            self.learner.end_epoch(loss)
        dice = validation_loss = None
        if self._is_validated(epoch):
            validation_loss = self._held_out_loss()
            dice = self._validate(epoch, subprogress(progress, 0.92, 0.99))
        if self.monitored == "validation-dice" and dice is not None:
            # Not -dice: the relative threshold of "plateau" takes an equal negative value for an improvement.
            self.learner.end_epoch(1.0 - dice)
        best = self.log.best
        is_best = dice is not None and (best is None or dice > (best.validation_dice or 0.0))
        seconds = time.monotonic() - started
        self.log.append(EpochRecord(epoch + 1, loss, dice, self.learner.learning_rate, seconds, validation_loss))
        if self.group.is_main:
            self._save(is_best=is_best)
        self.group.barrier()

    def _train(self, epoch: int, progress: Progress) -> float:
        """Take the steps of an epoch; return the mean loss over all processes."""
        self.sampler.epoch = epoch  # a resumed run draws the same samples as an uninterrupted one
        seed_epoch(self.task.seed, epoch, self.group.rank)
        return self.group.mean(self.learner.train_epoch(self.loader, self.step, progress))

    def _is_validated(self, epoch: int) -> bool:
        last = epoch + 1 == self.task.epochs or self.learner.early_stopping.should_stop
        return self.can_validate and (last or _is_validation_due(self.task, epoch))

    def _held_out_loss(self) -> float:
        """Return the mean loss of the averaged weights on held-out slices or patches."""
        loss = 0.0
        if self.group.is_main:
            loss = held_out_loss(self.learner.average.module, self.held_out, self.step, self.task)
        return self.group.broadcast(loss)

    def _validate(self, epoch: int, progress: Progress) -> float:
        """Return the validation Dice of the averaged weights, which the main process measures for all."""
        dice = 0.0
        if self.group.is_main:
            averaged = LoadedStage(self.task.stage, self.learner.average.module)
            dice, views = validate(self.task.name, averaged, self.validation_cases, progress)
            self.log.save_pictures(epoch + 1, views)
        return self.group.broadcast(dice)

    def _save(self, *, is_best: bool) -> None:
        if is_best:
            checkpoint.save(self.folder / BEST_WEIGHTS, self.learner.average.module.state_dict())
        self.learner.save(self.folder / LAST_CHECKPOINT, self.step)
        self.log.write_csv()
        self.log.report_last()  # last, so that a reported epoch is a saved one

    def _result(self) -> TrainedStage:
        training, records, best = self.task.training, self.log.records, self.log.best
        network = self.learner.average.module
        best_epoch = best.epoch if best else 0
        if training.keep == "best" and best:
            network.load_state_dict(_load_best_weights(self.folder / BEST_WEIGHTS))
            dice, kept = best.validation_dice, "best"
        else:
            measured = [record.validation_dice for record in records if record.validation_dice is not None]
            dice = measured[-1] if measured else None
            kept = "averaged" if training.average else "last"
        return TrainedStage(network, len(records), dice, best_epoch, self.step.micro_batches, kept)


def build_dataset(task: StageTask, cases: Sequence[Case]) -> SliceDataset | PatchDataset:
    """Return the data set that a stage is trained on: slices or patches of the cases.

    Raises:
        InputError: It has fewer items than a batch, or a label of the stage has no masks.
    """
    training = task.training
    data: SliceDataset | PatchDataset
    if task.stage.slices is not None:
        data = SliceDataset(cases, task.stage, task.name, True, training.augmentation, skip_dark=training.skip_dark)
    else:
        data = PatchDataset(cases, task.stage, task.name, training.augmentation)
    if len(data) < training.batch and training.steps_per_epoch is None:
        kind = "slices" if task.stage.slices else "patches"
        raise InputError(
            f"There are {len(data)} {kind} to train on, fewer than a batch of {training.batch}. Add scans, or give the "
            "recipe a smaller batch."
        )
    return data


def _build_sampler(task: StageTask, dataset: SliceDataset | PatchDataset, execution: Execution) -> EpochSampler:
    training = task.training
    weights = _weights(task, dataset) if isinstance(dataset, SliceDataset) else None
    return EpochSampler(
        len(dataset),
        training.batch,
        training.steps_per_epoch,
        task.seed,
        execution.process_group,
        weights,
    )


def _weights(task: StageTask, dataset: SliceDataset) -> torch.Tensor | None:
    """Return the sampling weights of slices; None if all are equal."""
    training = task.training
    if training.sampling == "data-sets":
        return dataset.data_set_shares
    weights = dataset.millimetres if training.sampling == "millimetres" else None
    if shares := training.shares.get(task.name):
        return dataset.shared(torch.ones(len(dataset)) if weights is None else weights, shares)
    return weights


def _build_step(task: StageTask, network: nn.Module, execution: Execution, log: TrainingLog) -> BatchStep:
    device, group = execution.device, execution.process_group
    return BatchStep(
        group.wrap_network(network, device),
        build_loss(task.training.loss, task.training.final_weight, network),
        device,
        training_precision(task.stage, device),
        memory_layout(task.stage),
        group,
        log.log,
    )


def _is_validation_due(task: StageTask, epoch: int) -> bool:
    """Whether an epoch, counted from 0, is validated: at regular intervals, or always if the training depends on it."""
    training = task.training
    needs_monitor = training.early_stopping is not None or training.schedule.name == "plateau"
    every_epoch = training.keep == "best" or (needs_monitor and training.watch == "validation-dice")
    return every_epoch or (epoch + 1) % training.validate_every == 0


def _load_best_weights(path: Path) -> dict:
    state = checkpoint.load(path)
    if state is None:
        raise InputError(f'"{path.name}" with the best weights of the run is missing. Train this stage again.')
    return state


def _discard(message: str) -> None:
    """Log of the processes that are not the main one."""
