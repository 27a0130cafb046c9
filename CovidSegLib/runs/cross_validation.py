"""Cross-validation by patient: one training run for each fold, without the patients of that fold."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from .. import models, recipes
from ..data.split import make_folds
from ..errors import InputError
from ..models import Model
from ..progress import Progress, silent, subprogress
from .card import write_card

FOLDS_FILE = "folds.json"


@dataclass(frozen=True)
class TrainedFold:
    """A finished run and its held-out patients.

    Attributes:
        model: The run.
        held_out: Patients that the run was not trained on, and is evaluated on.
    """

    model: Model
    held_out: tuple[str, ...]


class FoldTrainer(Protocol):
    """Trains a recipe without the held-out patients of a fold."""

    def __call__(self, recipe: Path, test: Sequence[str], run: Path, *, seed: int, progress: Progress) -> None:
        """Train to the end, or resume; leave the files of a finished run.

        Args:
            recipe: TOML file of the recipe.
            test: Held-out patients.
            run: Folder of the run.
            seed: Seed of the initial weights, the sampler and the augmentation.
            progress: Receives the stage and the fraction that is done; may raise `Cancelled`.
        """


def cross_validate(
    recipe: str,
    patients: Sequence[str],
    folder: Path,
    train: FoldTrainer,
    *,
    folds: int = 5,
    seed: int = 0,
    epochs: int | None = None,
    ablation: str | None = None,
    progress: Progress = silent,
) -> list[TrainedFold]:
    """Train all folds of a cross-validation. Finished folds in `folder` are not trained again.

    Args:
        recipe: Name or TOML file of the recipe.
        patients: All patients; every one is held out in one fold.
        folder: Folder for the runs fold-1, fold-2, ..., the resolved recipe and folds.json.
        train: Trains one fold.
        folds: Number of folds.
        seed: Seed of the folds and of every training.
        epochs: Number of epochs of every stage; those of the recipe if None.
        ablation: Same as in `recipes.load`.
        progress: Receives the stage and the fraction of the folds that is done.

    Raises:
        InputError: There are fewer patients than folds, or `folder` holds another cross-validation.
        Cancelled: Raised by `progress`. Trained folds and checkpoints are kept, and the next call resumes them.
    """
    held_out = [fold.test for fold in make_folds(patients, folds, seed, validation=0)]
    text = recipes.resolved_toml(recipe, ablation, recipes.epoch_changes(recipe, ablation, epochs))
    description = {"seed": seed, "recipe": tomllib.loads(text), "folds": [list(fold) for fold in held_out]}
    _prepare_folder(folder, text, description)
    trained = []
    for number, test in enumerate(held_out):
        run = folder / f"fold-{number + 1}"
        if not (run / models.CARD_FILE).is_file():
            here = subprogress(progress, number / folds, (number + 1) / folds)
            train(folder / models.RECIPE_FILE, test, run, seed=seed, progress=_name_fold(here, number + 1, folds))
            if not (run / models.CARD_FILE).is_file():
                write_card(run)
        trained.append(TrainedFold(models.open_model(run), test))
    return trained


def _prepare_folder(folder: Path, recipe_text: str, description: dict[str, Any]) -> None:
    """Write recipe and folds, or check that the folder holds the same ones."""
    path = folder / FOLDS_FILE
    content = json.dumps(description, indent=1, default=str) + "\n"
    if path.exists():
        if not _is_same(path.read_text(encoding="utf-8"), content):
            raise InputError(
                f'"{folder}" holds a cross-validation with other patients, recipe, seed, epochs or number of folds. '
                "Choose another folder for the results."
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / models.RECIPE_FILE).write_text(recipe_text, encoding="utf-8", newline="\n")
    path.write_text(content, encoding="utf-8", newline="\n")


def _is_same(existing: str, content: str) -> bool:
    """Whether two texts describe the same cross-validation, whatever title, summary and source the recipe has."""
    try:
        one, other = (json.loads(text) for text in (existing, content))
        for each in (one, other):
            each["recipe"] = recipes.without_prose(each["recipe"])
    except (ValueError, TypeError, KeyError, AttributeError):  # the existing file is damaged
        return False
    return bool(one == other)


def _name_fold(progress: Progress, number: int, folds: int) -> Progress:
    """Add the number of the fold to the stage."""

    def report(stage: str, fraction: float) -> None:
        progress(f"Fold {number} of {folds}: {stage}", fraction)

    return report
