"""Trains one fold of a cross-validation, on the patients with masks."""

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
from .cross_validation import FoldTrainer
from .run import RunConfig, train_run

#: One in so many of the patients that are not tested is kept to watch the training by.
WATCHED = 8


def make_fold_trainer(cases: Sequence[Case], terms: Mapping[str, Any], device: str = "auto") -> FoldTrainer:
    """What trains a recipe on cases, as `folds.cross_validate` asks for it.

    Args:
        cases: Of all patients, those that are left out too.
        terms: What a card must say of the data, from `data.licences.card_facts`.
        device: As of `pipeline.segment`.
    """

    def train_fold(recipe: Path, test: Sequence[str], run: Path, *, seed: int, progress: Progress) -> None:
        text = recipes.resolved_toml(str(recipe))
        read = recipes.parse(text, recipe.name)
        others = sorted({case.patient for case in cases} - set(test))
        people = sorted({patient_of(name) for name in others})
        if len(people) < 2:
            raise InputError("A fold leaves fewer than two patients to train and to validate on; give more patients.")
        chosen = people[:: max(2, min(WATCHED, len(people)))]
        watched = tuple(name for name in others if patient_of(name) in chosen)
        learnt = tuple(name for name in others if name not in watched)
        plan = RunConfig(
            text,
            read,
            Split(learnt, watched, tuple(sorted(test)), seed),
            tuple(read.stages),
            seed=seed,
            start=_start(read, test),
        )
        train_run(
            run,
            plan,
            [case for case in cases if case.patient in learnt],
            [case for case in cases if case.patient in watched],
            terms=terms,
            resume=True,
            device=choose_device(device),
            progress=progress,
        )

    return train_fold


def _start(recipe: Recipe, test: Sequence[str]) -> Path | None:
    """The installed model whose weights a recipe starts from, which knows no test patient; None if it starts anew."""
    name = recipe.training.starts_from
    if name is None:
        return None
    if name not in models.names():
        raise InputError(
            f"The recipe “{recipe.name}” starts from trained weights of “{name}”: install a model of that name, or "
            "take a recipe that is like it, without “training.starts_from”."
        )
    model = models.find_model(name)
    if seen := [patient for patient in sorted(test) if was_seen(patient, model.seen)]:
        raise InputError(
            f"The model “{name}”, from which the recipe “{recipe.name}” starts, has seen the patient “{seen[0]}”, who "
            "is to be measured: start from one that has not."
        )
    return model.folder
