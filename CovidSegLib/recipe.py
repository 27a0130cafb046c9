"""A recipe: what a published system fixes. Networks, what they see, how they are trained. Code says how."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import InputError

RECIPES = Path(__file__).parent / "recipes"


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
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"The recipe {path.name} is not valid TOML: {error}.") from error
    return _build(Recipe, table, path.name)


def _build(kind: type, table: dict[str, Any], where: str) -> Any:
    """A dataclass from a TOML table; nested tables become nested dataclasses, lists become tuples."""
    known = {entry.name: entry for entry in dataclasses.fields(kind)}
    for key in table:
        if key not in known:
            raise InputError(f"The recipe {where} has an unknown key “{key}”; allowed are: {', '.join(known)}.")
    values: dict[str, Any] = {}
    for key, entry in known.items():
        if key not in table:
            if entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING:
                raise InputError(f"The recipe {where} lacks the key “{key}”.")
            continue
        value = table[key]
        nested = {"Stage": Stage, "Training": Training}.get(str(entry.type))
        if nested:
            value = _build(nested, value, f"{where} [{key}]")
        elif isinstance(value, list):
            value = tuple(value)
        values[key] = value
    return kind(**values)
