"""Cross-validation by patient: a recipe trained as often as there are folds, each time without the patients of one."""

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
from ..storage.atomic import write_text_atomically
from .card import write_card

PLAN_FILE = "folds.json"


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
    """Trains a recipe."""

    def __call__(self, recipe: Path, test: Sequence[str], run: Path, *, seed: int, progress: Progress) -> None:
        """Train to the end, or go on from where it was broken off; leaves all that a finished run holds.

        Args:
            recipe: Its file.
            test: Patients that the run must not see.
            run: Its folder.
            seed: Of weights, order and augmentation.
            progress: Told the stage and the fraction that is done; raises Cancelled to stop.
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
    """Train all folds; those that have ended in `folder` are not trained again.

    Args:
        recipe: Name or file.
        patients: All that there are, each of whom is left out by one fold.
        folder: For the runs fold-1, fold-2, ..., the recipe as it is used, and the plan.
        train: Trains one.
        folds: How many.
        seed: Of the folds, and of each training.
        epochs: Of every stage; those of the recipe if None.
        ablation: As of `recipes.load`.
        progress: Told the stage and the fraction of the folds that is done.

    Raises:
        InputError: There are fewer patients than folds, or `folder` holds another cross-validation.
        Cancelled: From `progress`; what was trained is kept, and is gone on with the next time.
    """
    left_out = [fold.test for fold in make_folds(patients, folds, seed, validation=0)]
    text = recipes.resolved_toml(recipe, ablation, recipes.epoch_changes(recipe, ablation, epochs))
    _plan(folder, text, {"seed": seed, "recipe": tomllib.loads(text), "folds": [list(fold) for fold in left_out]})
    shares = []
    for number, fold in enumerate(left_out):
        run = folder / f"fold-{number + 1}"
        if not (run / models.CARD_FILE).is_file():
            here = subprogress(progress, number / folds, (number + 1) / folds)
            train(folder / models.RECIPE_FILE, fold, run, seed=seed, progress=_named(here, number + 1, folds))
            if not (run / models.CARD_FILE).is_file():
                write_card(run)
        shares.append(TrainedFold(models.open_model(run), fold))
    return shares


def _plan(folder: Path, text: str, plan: dict[str, Any]) -> None:
    """Write recipe and plan, or see that those that are there are the same."""
    path = folder / PLAN_FILE
    content = json.dumps(plan, indent=1, default=str) + "\n"
    if path.exists():
        if path.read_text(encoding="utf-8") != content:
            raise InputError(
                f'"{folder}" holds the folds of another cross-validation, of other patients, recipe, seed, epochs or '
                "folds; choose another folder for the results."
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_text_atomically(folder / models.RECIPE_FILE, text)
    write_text_atomically(path, content)


def _named(progress: Progress, number: int, folds: int) -> Progress:
    def report(stage: str, fraction: float) -> None:
        progress(f"Fold {number} of {folds}: {stage}", fraction)

    return report
