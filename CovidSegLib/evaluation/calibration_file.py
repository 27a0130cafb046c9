"""The file calibration.json of an evaluation: how many voxels of each patient had which probability."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError
from ..metrics.calibration import LEVELS, Calibration
from ..storage.limited import read_limited_json
from .temperature import rescale

FILE = "calibration.json"


class EvaluatedCalibrations(NamedTuple):
    """Content of calibration.json.

    Attributes:
        recipe: Name of the evaluated recipe.
        patients: Calibration of each patient at a temperature of 1.
    """

    recipe: str
    patients: dict[str, Calibration]


def write(folder: Path, recipe: str, patients: Mapping[str, tuple[float, Calibration]]) -> None:
    """Write the file to a folder.

    Args:
        folder: Existing folder.
        recipe: Name of the evaluated recipe.
        patients: By patient, the temperature of the evaluated model and the calibration.
    """
    by_patient = {
        name: {
            "temperature": temperature,
            "voxels": calibration.voxels.tolist(),
            "infected": calibration.infected.tolist(),
        }
        for name, (temperature, calibration) in patients.items()
    }
    text = json.dumps({"recipe": recipe, "patients": by_patient}) + "\n"
    (folder / FILE).write_text(text, encoding="utf-8", newline="\n")


def read(folder: Path) -> EvaluatedCalibrations:
    """Read the file from a folder, and rescale all calibrations to a temperature of 1.

    Raises:
        InputError: The file is missing or damaged.
    """
    path = folder / FILE
    try:
        content: dict[str, Any] = read_limited_json(path)
        patients = {name: _calibration(stored) for name, stored in content["patients"].items()}
        return EvaluatedCalibrations(str(content["recipe"]), patients)
    except FileNotFoundError as error:
        raise InputError(
            f'"{folder}" has no {FILE}. Choose the results of `covidseg evaluate` of one model, on patients that it '
            "was not trained on."
        ) from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise InputError(f'"{path}" cannot be read. Evaluate again.') from error


def _calibration(stored: Mapping[str, Any]) -> Calibration:
    calibration = Calibration(*(np.array(stored[key], dtype=np.int64) for key in ("voxels", "infected")))
    if calibration.voxels.shape != (LEVELS,) or calibration.infected.shape != (LEVELS,):
        raise ValueError(f"not {LEVELS} numbers")
    return rescale(calibration, 1 / float(stored["temperature"]))
