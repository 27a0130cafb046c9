"""A run: a recipe trained on the patients of a split, in a folder that ends as a model and can be gone on with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save

from .. import models
from ..data.case import Case
from ..data.split import Split
from ..errors import InputError
from ..networks.weights import unique_state
from ..progress import Progress, silent, subprogress
from ..recipe import Recipe
from ..storage.atomic import (
    json_text,
    temporary_path,
    write_bytes_atomically,
    write_json_atomically,
    write_text_atomically,
)
from ..storage.disk_errors import explain_disk_errors
from ..storage.lock import exclusive_lock
from ..training.checkpoint import FREE_SPACE_AND_RESUME
from ..training.distributed import process_group
from ..training.loop import TrainedStage, train_stage
from ..versions import package_versions
from . import environment
from .card import FACTS_FILE, write_card

SETTINGS_FILE, SPLIT_FILE = "settings.json", "split.json"


@dataclass(frozen=True)
class RunConfig:
    """What a run is to do; one that is gone on with must be the same.

    Attributes:
        text: The recipe as TOML that needs no other file.
        recipe: The same, read.
        split: Who is trained on, who is validated on, and who is left alone.
        stages: Names of the stages that are trained.
        whole_scans: Scans whose slices without infection are trained on too.
        seed: Of weights, order and augmentation.
        start: Folder of a finished run whose weights are the start, as far as they fit; random weights if None.
        workers: Processes that prepare slices and patches.
    """

    text: str
    recipe: Recipe
    split: Split
    stages: tuple[str, ...]
    whole_scans: tuple[str, ...] = ()
    seed: int = 0
    start: Path | None = None
    workers: int = 2

    def files(self) -> dict[str, str]:
        """The files that say all of it, by name."""
        settings = {
            "stages": self.stages,
            "whole_scans": self.whole_scans,
            "seed": self.seed,
            "start": self.start and _started(self.start).card["sha256"],
            "workers": self.workers,
        }
        return {
            models.RECIPE_FILE: self.text,
            SETTINGS_FILE: json_text(settings),
            SPLIT_FILE: json_text(asdict(self.split)),
        }


def prepare_run(run: Path, plan: RunConfig, *, resume: bool) -> None:
    """Make the folder of a run, or see that it is that of the same run.

    Raises:
        InputError: There is a run and it is not to be gone on with, or it is another one; the folder cannot be made.
    """
    with explain_disk_errors(run, if_full=FREE_SPACE_AND_RESUME, only_known=True):
        _prepare(run, plan.files(), resume)


def _prepare(run: Path, files: Mapping[str, str], resume: bool) -> None:
    there = [name for name in files if (run / name).exists()]
    if there and not resume:
        raise InputError(f"“{run.name}” holds a run already; go on with it by --resume, or choose another folder.")
    begun = {temporary_path(run / name).name for name in files}  # by a run that was killed before it had begun
    if not there and run.is_dir() and any(path.name not in begun for path in run.iterdir()):
        raise InputError(f"“{run.name}” holds other files; choose a new folder for the run.")
    for name, text in files.items():
        path = run / name
        if path.exists() and not _same(path, text):
            raise InputError(
                f"“{run.name}” was begun with another {name}; go on with the same recipe, patients, stages, seed and "
                "start, or choose another folder."
            )
    run.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        if not (run / name).exists():
            write_text_atomically(run / name, text)


def _same(path: Path, text: str) -> bool:
    """Whether a file of a run says what it is to say; how many workers there were makes no difference to the result."""
    held = path.read_text(encoding="utf-8")
    if path.name != SETTINGS_FILE:
        return held == text
    try:
        settings = json.loads(held)
    except ValueError:
        return False
    return isinstance(settings, dict) and settings | {"workers": 0} == json.loads(text) | {"workers": 0}


def train_run(
    run: Path,
    plan: RunConfig,
    cases: Sequence[Case],
    validation: Sequence[Case],
    *,
    terms: Mapping[str, Any] | None = None,
    resume: bool = False,
    device: torch.device | None = None,
    log: Callable[[str], None] = print,
    progress: Progress = silent,
    arguments: Mapping[str, Any] | None = None,
) -> models.Model:
    """Train the stages of a plan, and make the folder a model.

    Args:
        run: The folder.
        plan: What is done.
        cases: Scans to learn from.
        validation: Scans of other patients.
        terms: What the card must say of the data, from `data.licences.card_facts`.
        resume: Go on with the run that the folder holds, if it holds one.
        device: Where; a GPU if there is one.
        say: Takes sentences for the user.
        progress: Told the stage and the fraction of the training that is done; may raise to cancel.
        arguments: Of the command, for environment.json.

    Raises:
        InputError: As of `prepare` and `train_stage`; the start is no finished run; the disk is full; another
            process is training in the folder.
    """
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    explained = explain_disk_errors(run, if_full=FREE_SPACE_AND_RESUME, only_known=True)
    with explained, process_group(device) as group, ExitStack() as held:
        if group.is_main:
            prepare_run(run, plan, resume=resume)
            held.enter_context(exclusive_lock(run / SETTINGS_FILE))
            environment.note(run, environment.describe(device, group.world_size, arguments or {}))
        group.barrier()
        earlier = load(_started(plan.start).verified_weights()) if plan.start else {}
        trained = {}
        for number, name in enumerate(plan.stages):
            own = {key.removeprefix(f"{name}."): value for key, value in earlier.items() if key.startswith(f"{name}.")}
            trained[name] = train_stage(
                name,
                plan.recipe.stages[name],
                plan.recipe.training,
                cases,
                validation,
                run / name,
                plan.seed,
                own or None,
                device=device,
                workers=plan.workers,
                process_group=group,
                log=log,
                progress=subprogress(progress, number / len(plan.stages), (number + 1) / len(plan.stages)),
            )
        if group.is_main:
            _finish(run, plan, cases, trained, terms or {})
        group.barrier()
    return models.open_model(run)


def _finish(
    run: Path,
    plan: RunConfig,
    cases: Sequence[Case],
    trained: dict[str, TrainedStage],
    terms: Mapping[str, Any],
) -> None:
    """The weights of all stages in float16, the facts, and the card that makes the folder a model."""
    weights = {
        f"{name}.{key}": (value.half() if value.is_floating_point() else value).contiguous().cpu()
        for name, stage in trained.items()
        for key, value in unique_state(stage.network).items()
    }
    write_bytes_atomically(run / models.WEIGHTS_FILE, save(weights))
    facts = {
        **terms,
        "recipe": plan.recipe.name,
        "seed": plan.seed,
        "trained_on": sorted({case.patient for case in cases}),
        "validation": sorted(plan.split.validation),
        "never_trained_on": sorted({*plan.split.test, *plan.split.validation}),
        "start": plan.start and plan.start.name,
        "versions": package_versions(),
        "stages": {
            name: {
                "epochs": stage.epochs,
                "kept": stage.kept,
                "validation_dice": None if stage.dice is None else round(stage.dice, 4),
                "best_epoch": stage.best_epoch,
                "parts_of_a_batch": stage.parts,
            }
            for name, stage in trained.items()
        },
    }
    write_json_atomically(run / FACTS_FILE, facts)
    write_card(run)


def _started(run: Path) -> models.Model:
    """The finished run, or other model, that a run starts from."""
    if not (run / models.CARD_FILE).is_file():
        raise InputError(f"“{run.name}” is no finished run ({models.CARD_FILE} is missing); give another --start.")
    return models.open_model(run)
