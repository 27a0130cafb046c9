"""Trains one fold of a cross-validation, on the patients with masks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import save_file

from .. import models, recipes
from ..data.case import Case
from ..networks.weights import unique_state
from ..progress import Progress, part
from ..training.loop import train_stage
from ..training.pack import FACTS_FILE, write_card
from .folds import Trainer
from .pooling import SPLIT_FILE

#: One in so many of the patients that are not tested is kept to watch the training by.
WATCHED = 8


def trainer(cases: Sequence[Case]) -> Trainer:
    """What trains a recipe on cases, as `folds.cross_validate` asks for it.

    Args:
        cases: Of all patients, those that are left out too.
    """

    def train(recipe: Path, test: Sequence[str], run: Path, *, seed: int, progress: Progress) -> None:
        read = recipes.load(str(recipe))
        others = sorted({case.patient for case in cases} - set(test))
        watched = others[:: max(2, min(WATCHED, len(others)))] if len(others) > 1 else []
        learnt = [name for name in others if name not in watched]
        train_on = [case for case in cases if case.patient in learnt]
        validation = [case for case in cases if case.patient in watched] or train_on[:1]
        weights = {}
        for number, (name, stage) in enumerate(read.stages.items()):
            here = part(progress, number / len(read.stages), (number + 1) / len(read.stages))
            here(f"training {name}", 0.0)
            network = train_stage(name, stage, read.training, train_on, validation, run / name, seed)
            for key, value in unique_state(network).items():
                weights[f"{name}.{key}"] = (value.half() if value.is_floating_point() else value).cpu().contiguous()
        (run / models.RECIPE_FILE).write_bytes(recipe.read_bytes())
        split = {"train": learnt, "validation": watched, "test": list(test), "seed": seed}
        (run / SPLIT_FILE).write_text(json.dumps(split, indent=1), encoding="utf-8")
        save_file(weights, run / models.WEIGHTS_FILE)
        facts = {
            "recipe": read.name,
            "seed": seed,
            "trained_on": learnt,
            "validation": watched,
            "never_trained_on": sorted({*watched, *test}),
        }
        (run / FACTS_FILE).write_text(json.dumps(facts, indent=1), encoding="utf-8")
        write_card(run)

    return train
