"""Trains one fold of a cross-validation, on the patients with masks."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from .. import recipes
from ..data.case import Case
from ..data.split import Split
from ..inference.devices import choose_device
from ..progress import Progress
from ..training.run import Plan, train
from .folds import Trainer

#: One in so many of the patients that are not tested is kept to watch the training by.
WATCHED = 8


def trainer(cases: Sequence[Case], device: str = "auto") -> Trainer:
    """What trains a recipe on cases, as `folds.cross_validate` asks for it.

    Args:
        cases: Of all patients, those that are left out too.
        device: As of `pipeline.segment`.
    """

    def train_fold(recipe: Path, test: Sequence[str], run: Path, *, seed: int, progress: Progress) -> None:
        text = recipe.read_text(encoding="utf-8")
        read = recipes.of_text(text, recipe.name)
        others = sorted({case.patient for case in cases} - set(test))
        watched = random.Random(seed).sample(others, max(1, len(others) // WATCHED))
        learnt = tuple(name for name in others if name not in watched)
        plan = Plan(text, read, Split(learnt, tuple(sorted(watched)), tuple(sorted(test)), seed), tuple(read.stages))
        train(
            run,
            plan,
            [case for case in cases if case.patient in learnt],
            [case for case in cases if case.patient in watched],
            resume=True,
            device=choose_device(device),
            progress=progress,
        )

    return train_fold
