"""The configuration of a training run, and the folder that holds it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from .. import models, recipes
from ..data.split import Split
from ..errors import InputError
from ..recipe import Recipe
from ..storage.atomic import json_text, temporary_path, write_text_atomically
from ..storage.disk_errors import explain_disk_errors
from ..training.checkpoint import FREE_SPACE_AND_RESUME

SETTINGS_FILE, SPLIT_FILE = "settings.json", "split.json"


@dataclass(frozen=True)
class RunConfig:
    """What a run trains. A run can only be resumed with the same configuration.

    The number of workers may differ, and so may title, summary and source of the recipe.

    Attributes:
        recipe_text: The recipe as self-contained TOML, from `recipes.resolved_toml`.
        recipe: The same recipe, parsed.
        split: Patients for training, validation and test.
        stages: Names of the stages that are trained.
        whole_scans: Names of scans whose slices without infection are trained on as well.
        seed: Seed of the initial weights, the sampler and the augmentation.
        start: Folder of a finished run whose weights are the initial weights as far as they fit; random weights if
            None.
        workers: Number of subprocesses that prepare batches.
    """

    recipe_text: str
    recipe: Recipe
    split: Split
    stages: tuple[str, ...]
    whole_scans: tuple[str, ...] = ()
    seed: int = 0
    start: Path | None = None
    workers: int = 2

    def files(self) -> dict[str, str]:
        """Return the files that describe the run, by name: recipe.toml, settings.json, split.json."""
        settings = {
            "stages": self.stages,
            "whole_scans": self.whole_scans,
            "seed": self.seed,
            "start": self.start and find_finished_run(self.start).card["sha256"],
            "workers": self.workers,
        }
        return {
            models.RECIPE_FILE: self.recipe_text,
            SETTINGS_FILE: json_text(settings),
            SPLIT_FILE: json_text(asdict(self.split)),
        }


def find_finished_run(folder: Path) -> models.Model:
    """Return the model in the folder of a finished run.

    Raises:
        InputError: The run is not finished.
    """
    if not (folder / models.CARD_FILE).is_file():
        raise InputError(
            f'"{folder.name}" is not a finished run ({models.CARD_FILE} is missing). Give another run with --start.'
        )
    return models.open_model(folder)


def prepare_run(run: Path, config: RunConfig, *, resume: bool) -> None:
    """Create the folder of a run, or check that it holds the same run.

    Args:
        run: The folder.
        config: What the run trains.
        resume: Accept a folder that holds a run of the same configuration.

    Raises:
        InputError: The folder holds a run and `resume` is false, it holds another run or other files, or it cannot be
            created.
    """
    with explain_disk_errors(run, if_full=FREE_SPACE_AND_RESUME, only_known=True):
        _prepare(run, config.files(), resume)


def _prepare(run: Path, files: Mapping[str, str], resume: bool) -> None:
    existing = [name for name in files if (run / name).exists()]
    if existing and not resume:
        raise InputError(f'"{run.name}" already holds a run. Resume it with --resume, or choose another folder.')
    # A run that was killed right at its start may have left these behind.
    leftovers = {temporary_path(run / name).name for name in files}
    if not existing and run.is_dir() and any(path.name not in leftovers for path in run.iterdir()):
        raise InputError(f'"{run.name}" holds other files. Choose a new folder for the run.')
    for name, text in files.items():
        path = run / name
        if path.exists() and not _is_same(path, text):
            raise InputError(
                f'"{run.name}" was started with another {name}. Resume it with the same recipe, patients, stages, seed '
                "and start, or choose another folder."
            )
    run.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        if not (run / name).exists():
            write_text_atomically(run / name, text)


def _is_same(path: Path, text: str) -> bool:
    """Whether a file of a run has this content, apart from what does not affect the result."""
    existing = path.read_text(encoding="utf-8")
    try:
        if path.name == models.RECIPE_FILE:
            one, other = (recipes.without_prose(tomllib.loads(each)) for each in (existing, text))
            return one == other
        if path.name == SETTINGS_FILE:
            one, other = ({**json.loads(each), "workers": 0} for each in (existing, text))
            return one == other
    except (ValueError, TypeError):  # the existing file is damaged
        return False
    return existing == text
