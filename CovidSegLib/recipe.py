"""A recipe: what a published system fixes. Networks, what they see, how they are trained. Code says how."""

from __future__ import annotations

import dataclasses
import inspect
import math
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from .errors import InputError

RECIPES = Path(__file__).parent / "recipes"
#: What the stages may be cut out of: the lungs are not known before the first.
REGIONS = {"lungs": ("slice", "body"), "infection": ("slice", "body", "lungs")}
SCHEDULES = ("one-cycle", "constant")


@dataclass(frozen=True)
class Stage:
    """One network of the cascade and what it sees.

    Attributes:
        network: Name in `networks.NETWORKS`.
        arguments: The network's arguments.
        region: What is cut out of an axial slice: "slice" (all of it), "body" or "lungs".
        size: Rows and columns of the network's input.
        window_hu: HU that become 0 and 1.
        slices: Neighbouring slices given as channels, the middle one being segmented.
        slice_step_mm: Distance of those slices.
        margin_mm: Added around the region.
        mask_margin_mm: The input is set to air farther than this from the lungs; nothing is masked if left out.
    """

    network: str
    arguments: dict[str, Any]
    region: str
    size: tuple[int, int]
    window_hu: tuple[float, float]
    slices: int = 1
    slice_step_mm: float = 2.5
    margin_mm: float = 0.0
    mask_margin_mm: float | None = None


@dataclass(frozen=True)
class Training:
    """How both stages are trained; loss and optimiser are CHS-Net's kind: half cross-entropy, half Dice, and Adam.

    Attributes:
        epochs: Passes over the slices, by stage.
        batch: Slices a step.
        learning_rate: The highest of the one-cycle plan, or the constant one.
        schedule: "one-cycle" or "constant".
        weight_decay: AdamW's decoupled weight decay.
        average: Decay of the exponential moving average of the weights; 0 for none.
    """

    epochs: dict[str, int]
    batch: int
    learning_rate: float
    schedule: str = "one-cycle"
    weight_decay: float = 0.0
    average: float = 0.0


@dataclass(frozen=True)
class Recipe:
    """A system: lungs first, then the infection in them.

    Attributes:
        name: Short name, as typed.
        title: Name as shown.
        summary: One sentence.
        source: Where it comes from: citation, sections.
        lungs, infection: The two stages.
        training: How they are trained.
        reported: What the paper reports, by structure and metric.
    """

    name: str
    title: str
    summary: str
    source: str
    lungs: Stage
    infection: Stage
    training: Training
    reported: dict[str, Any] = field(default_factory=dict)


def names() -> list[str]:
    """Names of the recipes that come with the library."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def load(name: str) -> Recipe:
    """A recipe by name, or from the TOML file at that path.

    Raises:
        InputError: There is none, or the file says something that a recipe does not have; names file, key and choices.
    """
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    if not path.is_file():
        raise InputError(f"There is no recipe “{name}”; the recipes are: {', '.join(names())}.")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # of TOML or of UTF-8
        raise InputError(f"The recipe {path.name} is not valid TOML: {error}.") from error
    recipe = _build(Recipe, table, path.name)
    for name in ("lungs", "infection"):
        _check_stage(name, getattr(recipe, name), f"{path.name} [{name}]")
    _check_training(recipe.training, f"{path.name} [training]")
    return recipe


def _build(kind: type, table: dict[str, Any], where: str) -> Any:
    """A dataclass from a TOML table; nested tables become nested dataclasses, lists become tuples."""
    types = get_type_hints(kind)
    for key in table:
        if key not in types:
            raise InputError(f"The recipe {where} has an unknown key “{key}”; allowed are: {', '.join(types)}.")
    values: dict[str, Any] = {}
    for entry in dataclasses.fields(kind):
        key, expected = entry.name, types[entry.name]
        if key in table:
            values[key] = _value(table[key], expected, where, key)
        elif entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING:
            raise InputError(f"The recipe {where} lacks the key “{key}”.")
    return kind(**values)


def _value(value: Any, expected: Any, where: str, key: str) -> Any:
    """A value of TOML as the type that a dataclass names for it."""
    parts = get_args(expected)
    if type(None) in parts:
        expected = parts[0]
    if dataclasses.is_dataclass(expected):
        _require(isinstance(value, dict), where, key, "a table")
        return _build(expected, value, f"{where} [{key}]")  # type: ignore[arg-type]
    if get_origin(expected) is tuple:
        _require(isinstance(value, list) and len(value) == len(parts), where, key, f"a list of {len(parts)} numbers")
        return tuple(_value(part, parts[0], where, key) for part in value)
    if get_origin(expected) is dict:
        _require(isinstance(value, dict), where, key, "a table")
        return {name: _value(part, parts[1], where, f"{key}.{name}") for name, part in value.items()}
    if expected is float:
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        _require(number, where, key, "a number")
        return float(value)
    if expected is int:
        _require(isinstance(value, int) and not isinstance(value, bool), where, key, "a whole number")
    if expected is str:
        _require(isinstance(value, str), where, key, "a text")
    return value


def _check_stage(name: str, stage: Stage, where: str) -> None:
    from .networks import NETWORKS  # only here, because it loads torch

    _require(stage.network in NETWORKS, where, "network", f"one of {', '.join(NETWORKS)}")
    _require(stage.region in REGIONS[name], where, "region", f"one of {', '.join(REGIONS[name])}")
    _require(min(stage.size) > 0, where, "size", "above 0")
    _require(stage.window_hu[0] < stage.window_hu[1], where, "window_hu", "[low, high] with low < high")
    _require(stage.slices > 0 and stage.slices % 2 == 1, where, "slices", "an odd number above 0")
    _require(stage.slice_step_mm > 0, where, "slice_step_mm", "above 0")
    _require(stage.margin_mm >= 0, where, "margin_mm", "0 or more")
    if stage.mask_margin_mm is not None:
        _require(name == "infection", where, "mask_margin_mm", "left out: the lungs are not known before")
        _require(stage.mask_margin_mm >= 0, where, "mask_margin_mm", "0 or more")
    try:
        arguments = inspect.signature(NETWORKS[stage.network]).bind(**stage.arguments)
    except TypeError as error:
        raise InputError(f"The recipe {where} has “arguments” that {stage.network} does not take: {error}.") from error
    arguments.apply_defaults()
    channels = {"in_channels": stage.slices, "out_channels": 1, "spatial_dims": 2}
    for key, needed in channels.items():
        found = arguments.arguments.get(key, needed)
        _require(found == needed, where, f"arguments.{key}", f"{needed} where slices = {stage.slices}")


def _check_training(training: Training, where: str) -> None:
    stages = ("lungs", "infection")
    _require(set(training.epochs) == set(stages), where, "epochs", "a number for lungs and one for infection")
    for name in stages:
        _require(training.epochs[name] > 0, where, f"epochs.{name}", "above 0")
    _require(training.batch > 0, where, "batch", "above 0")
    _require(training.learning_rate > 0, where, "learning_rate", "above 0")
    _require(training.schedule in SCHEDULES, where, "schedule", f"one of {', '.join(SCHEDULES)}")
    _require(training.weight_decay >= 0, where, "weight_decay", "0 or more")
    _require(0 <= training.average < 1, where, "average", "from 0 to below 1")


def _require(right: bool, where: str, key: str, allowed: str) -> None:
    if not right:
        raise InputError(f"The recipe {where} has a wrong value for “{key}”; it must be {allowed}.")
