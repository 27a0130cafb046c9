"""Training of one fold of a cross-validation on cases with masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import models, recipes
from ..data.case import Case
from ..data.patients import patient_of, was_seen
from ..data.split import Split
from ..errors import InputError
from ..inference.devices import choose_device
from ..progress import Progress
from ..recipe import Recipe
from .config import RunConfig
from .cross_validation import FoldTrainer
from .run import train_run

#: One in this many of the remaining patients is used for validation.
VALIDATION_INTERVAL = 8


def make_fold_trainer(cases: Sequence[Case], terms: Mapping[str, Any], device: str = "auto") -> FoldTrainer:
    """Return the function with which `cross_validate` trains a fold.

    Args:
        cases: Cases of all patients, including the held-out ones.
        terms: Licence, origin and limits of the data for the model card, from `data.licences.card_facts`.
        device: Same as in `pipeline.segment`.
    """

    def train_fold(recipe: Path, test: Sequence[str], run: Path, *, seed: int, progress: Progress) -> None:
        text = recipes.resolved_toml(str(recipe))
        parsed = recipes.parse(text, recipe.name)
        split = _split_fold(cases, test, seed)
        start = _find_start(parsed, test)
        train_run(
            run,
            RunConfig(text, parsed, split, tuple(parsed.stages), seed=seed, start=start),
            [case for case in cases if case.patient in split.train],
            [case for case in cases if case.patient in split.validation],
            terms=terms,
            resume=True,
            device=choose_device(device),
            progress=progress,
        )

    return train_fold


def _split_fold(cases: Sequence[Case], test: Sequence[str], seed: int) -> Split:
    """Divide the patients that are not held out into training and validation, without separating scans of a patient."""
    others = sorted({case.patient for case in cases} - set(test))
    people = sorted({patient_of(name) for name in others})
    if len(people) < 2:
        raise InputError("A fold leaves fewer than two patients for training and validation. Add more patients.")
    validation_people = people[:: max(2, min(VALIDATION_INTERVAL, len(people)))]
    validation = tuple(name for name in others if patient_of(name) in validation_people)
    train = tuple(name for name in others if name not in validation)
    return Split(train, validation, tuple(sorted(test)), seed)


def _find_start(recipe: Recipe, test: Sequence[str]) -> Path | None:
    """Return the folder of the installed model that a recipe starts from; None if it starts from random weights.

    Raises:
        InputError: The model is not installed, or was trained on a held-out patient.
    """
    name = recipe.training.starts_from
    if name is None:
        return None
    if name not in models.names():
        raise InputError(
            f'The recipe "{recipe.name}" starts from trained weights of "{name}", which is not installed. Install a '
            'model of that name, or use a recipe that inherits from it without "training.starts_from".'
        )
    model = models.find_model(name)
    if seen := [patient for patient in sorted(test) if was_seen(patient, model.seen)]:
        raise InputError(
            f'The model "{name}", from which the recipe "{recipe.name}" starts, has seen the held-out patient '
            f'"{seen[0]}". Start from a model that has not.'
        )
    return model.folder
