"""A training run: a recipe trained on the patients of a split, in a folder that can be resumed and becomes a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save

from .. import models
from ..data.case import Case
from ..errors import InputError
from ..inference import LoadedStage
from ..networks.weights import unique_state
from ..progress import Progress, silent, subprogress
from ..storage.atomic import write_bytes_atomically, write_json_atomically
from ..storage.disk_errors import explain_disk_errors
from ..storage.lock import exclusive_lock
from ..training.checkpoint import FREE_SPACE_AND_RESUME
from ..training.distributed import process_group
from ..training.execution import Execution, default_device
from ..training.loop import TrainedStage, train_stage
from ..training.predicted_lungs import with_predicted_lungs
from ..training.task import StageTask
from ..versions import package_versions
from . import environment
from .card import FACTS_FILE, write_card
from .config import SETTINGS_FILE, RunConfig, find_finished_run, prepare_run

__all__ = ["RunConfig", "prepare_run", "train_run"]

Weights = Mapping[str, torch.Tensor]


def train_run(
    run: Path,
    config: RunConfig,
    train_cases: Sequence[Case],
    validation_cases: Sequence[Case],
    *,
    terms: Mapping[str, Any] | None = None,
    resume: bool = False,
    device: torch.device | None = None,
    log: Callable[[str], None] = print,
    progress: Progress = silent,
    arguments: Mapping[str, Any] | None = None,
) -> models.Model:
    """Train the stages of a run one after the other, and turn its folder into a model.

    Args:
        run: Folder of the run.
        config: What the run trains.
        train_cases: Scans to train on.
        validation_cases: Scans of other patients.
        terms: Licence, origin and limits of the data for the model card, from `data.licences.card_facts`.
        resume: Resume the run in the folder, if there is one.
        device: Device to train on; a GPU if there is one, if None.
        log: Receives sentences for the user.
        progress: Receives the stage and the fraction of the training that is done; may raise `Cancelled`.
        arguments: Arguments of the command, for environment.json.

    Returns:
        The trained model.

    Raises:
        InputError: See `prepare_run` and `train_stage`. The device is an Apple GPU, the start is not a finished run,
            the disk is full, or another process is training in the folder.
    """
    device = device or default_device()
    if device.type == "mps":
        raise InputError('Training on an Apple GPU has not been tested. Choose the device "cpu", or an NVIDIA GPU.')
    explained = explain_disk_errors(run, if_full=FREE_SPACE_AND_RESUME, only_known=True)
    with explained, process_group(device) as group, ExitStack() as lock:
        if group.is_main:
            prepare_run(run, config, resume=resume)
            lock.enter_context(exclusive_lock(run / SETTINGS_FILE))
            environment.record(run, environment.describe(device, group.world_size, arguments or {}))
        group.barrier()
        initial = load(find_finished_run(config.start).verified_weights()) if config.start else {}
        trained: dict[str, TrainedStage] = {}
        if config.recipe.training.lungs == "predicted" and "lungs" not in config.stages:
            raise InputError('The recipe trains the infection within predicted lungs. Train its stage "lungs", too.')
        for number, name in enumerate(config.stages):
            part = subprogress(progress, number / len(config.stages), (number + 1) / len(config.stages))
            if name == "infection" and config.recipe.training.lungs == "predicted":
                assert config.recipe.lungs is not None
                lung_stage = LoadedStage(config.recipe.lungs, trained["lungs"].network)
                train_cases = with_predicted_lungs(train_cases, lung_stage, subprogress(part, 0.0, 0.1))
                validation_cases = with_predicted_lungs(validation_cases, lung_stage, subprogress(part, 0.1, 0.12))
                part = subprogress(part, 0.12, 1.0)
            trained[name] = train_stage(
                _stage_task(config, name, initial),
                train_cases,
                validation_cases,
                run / name,
                Execution(device, config.workers, group, log, part),
            )
        if group.is_main:
            _write_model(run, config, train_cases, trained, terms or {})
        group.barrier()
    return models.open_model(run)


def _stage_task(config: RunConfig, name: str, initial: Weights) -> StageTask:
    prefix = f"{name}."
    own = {key.removeprefix(prefix): value for key, value in initial.items() if key.startswith(prefix)}
    return StageTask(name, config.recipe.stages[name], config.recipe.training, config.seed, own or None)


def _write_model(
    run: Path,
    config: RunConfig,
    train_cases: Sequence[Case],
    trained: Mapping[str, TrainedStage],
    terms: Mapping[str, Any],
) -> None:
    """Write the float16 weights of all stages, the facts of the training, and the card that makes the run a model."""
    weights = {
        f"{name}.{key}": (value.half() if value.is_floating_point() else value).contiguous().cpu()
        for name, stage in trained.items()
        for key, value in unique_state(stage.network).items()
    }
    write_bytes_atomically(run / models.WEIGHTS_FILE, save(weights))
    facts = {
        **terms,
        "recipe": config.recipe.name,
        "seed": config.seed,
        "trained_on": sorted({case.patient for case in train_cases}),
        "validation": sorted(config.split.validation),
        "never_trained_on": sorted({*config.split.test, *config.split.validation}),
        "start": config.start and config.start.name,
        "versions": package_versions(),
        "stages": {name: _stage_facts(stage) for name, stage in trained.items()},
    }
    write_json_atomically(run / FACTS_FILE, facts)
    write_card(run)


def _stage_facts(stage: TrainedStage) -> dict[str, Any]:
    return {
        "epochs": stage.epochs,
        "kept": stage.kept,
        "validation_dice": None if stage.dice is None else round(stage.dice, 4),
        "best_epoch": stage.best_epoch,
        "parts_of_a_batch": stage.micro_batches,
    }
