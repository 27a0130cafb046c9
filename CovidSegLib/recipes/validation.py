"""What a recipe may say beyond the types of its values: names that exist, numbers that make sense, parts that fit."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import InputError
from ..recipe import BACKGROUND, LABELS, TUMOUR_LABEL, Component, Recipe, Stage, Training
from .parsing import require

#: What the stages may be cut out of: the lungs are not known before the first.
REGIONS = {"lungs": ("whole", "body"), "infection": ("whole", "body", "lungs")}
BLENDS = ("constant", "gaussian")
WATCHED, KEPT = ("validation-dice", "loss"), ("last", "best")
SAMPLINGS = ("slices", "millimetres")


def check(recipe: Recipe, file: str) -> None:
    """Check a recipe that was read from a file.

    Raises:
        InputError: Names file, key and what is allowed.
    """
    for name, stage in recipe.stages.items():
        _check_stage(name, stage, f"{file} [{name}]")
    _check_lungs(recipe, file)
    _check_training(recipe, f"{file} [training]")


def _check_lungs(recipe: Recipe, file: str) -> None:
    """The lungs come from one place and one only, and nothing is cut out by them before they are known."""
    own = [name for name, stage in recipe.stages.items() if "lungs" in stage.finds]
    if TUMOUR_LABEL in recipe.infection.labels:
        return
    require("infection" in recipe.infection.finds, f"{file} [infection]", "labels", "a list with “infection”")
    if recipe.lungs is not None:
        require("lungs" in own, f"{file} [lungs]", "labels", "a list with “lungs”, or “right_lung” and “left_lung”")
    needed = "left out, as a stage of the recipe finds the lungs" if own else "the name of a model that finds the lungs"
    require(bool(own) != (recipe.lungs_from is not None), file, "lungs_from", needed)
    if recipe.lungs is None and recipe.lungs_from is None:
        stage, where = recipe.infection, f"{file} [infection]"
        require(stage.region != "lungs", where, "region", "whole or body: the lungs are not known before")
        require(stage.mask_margin_mm is None, where, "mask_margin_mm", "left out: the lungs are not known before")


def _check_stage(name: str, stage: Stage, where: str) -> None:
    from ..networks import NETWORKS  # only here, because it loads torch

    require(stage.network in NETWORKS, where, "network", f"one of {', '.join(NETWORKS)}")
    require(stage.region in REGIONS[name], where, "region", f"one of {', '.join(REGIONS[name])}")
    require(stage.margin_mm >= 0, where, "margin_mm", "0 or more")
    if stage.mask_margin_mm is not None:
        require(name != "lungs", where, "mask_margin_mm", "left out: the lungs are not known before")
        require(stage.mask_margin_mm >= 0, where, "mask_margin_mm", "0 or more")
    _check_labels(stage, where)
    intensity = stage.intensity
    in_order = intensity.window_hu[0] < intensity.window_hu[1]
    require(in_order, f"{where} [intensity]", "window_hu", "[low, high] with low < high")
    levels = intensity.grey_levels
    require(levels is None or levels >= 2, f"{where} [intensity]", "grey_levels", "2 or more")
    one = (stage.slices is None) != (stage.patches is None)
    require(one, where, "slices", "given, or “patches”, and not both")
    _check_slices(stage, f"{where} [slices]")
    _check_patches(stage, f"{where} [patches]")
    _check_arguments(stage, NETWORKS[stage.network], where)


def _check_labels(stage: Stage, where: str) -> None:
    labels = stage.labels
    known = bool(labels) and set(labels) <= set(LABELS) and len(set(labels)) == len(labels)
    require(known, where, "labels", f"different ones of {', '.join(LABELS)}")
    require(labels != (BACKGROUND,), where, "labels", f"more than “{BACKGROUND}”")
    if BACKGROUND in labels:
        require(labels[0] == BACKGROUND, where, "labels", f"a list whose first is “{BACKGROUND}”")


def _check_slices(stage: Stage, where: str) -> None:
    if stage.slices is not None:
        require(min(stage.slices.size) > 0, where, "size", "above 0")
        require(stage.slices.count > 0 and stage.slices.count % 2 == 1, where, "count", "an odd number above 0")
        require(stage.slices.step_mm > 0, where, "step_mm", "above 0")


def _check_patches(stage: Stage, where: str) -> None:
    if stage.patches is not None:
        require(min(stage.patches.size) > 0, where, "size", "above 0")
        require(min(stage.patches.spacing_mm or (1.0,)) > 0, where, "spacing_mm", "above 0")
        require(0 <= stage.patches.overlap < 1, where, "overlap", "from 0 to below 1")
        require(0 <= stage.patches.foreground <= 1, where, "foreground", "from 0 to 1")
        require(stage.patches.blend in BLENDS, where, "blend", f"one of {', '.join(BLENDS)}")


def _check_arguments(stage: Stage, network: Callable[..., Any], where: str) -> None:
    arguments = _bound(stage.network, network, stage.arguments, where)
    channels, *sizes = stage.input_shape
    for key, needed, why in (
        ("spatial_dims", len(sizes), "as it sees " + ("slices" if stage.slices else "patches")),
        ("in_channels", channels, "as it is given that many slices"),
        ("out_channels", len(stage.labels), "as there are that many labels"),
    ):
        require(arguments.get(key, needed) == needed, where, f"arguments.{key}", f"{needed}, {why}")


def _check_training(recipe: Recipe, where: str) -> None:
    from ..training.augmentation import AUGMENTATIONS, HU_AUGMENTATIONS, SYNTHETIC_LESIONS
    from ..training.losses import CLASS_LOSSES, LOSSES
    from ..training.optimisation import OPTIMISERS, SCHEDULES
    from . import names as recipe_names  # only here, because it imports this file

    training, stages = recipe.training, list(recipe.stages)
    names = " and ".join(f"one for {name}" for name in stages)
    require(list(training.epochs) == stages, where, "epochs", f"numbers, {names}")
    for name in stages:
        require(training.epochs[name] > 0, where, f"epochs.{name}", "above 0")
    _check_numbers(training, where)
    require(training.sampling in SAMPLINGS, where, "sampling", f"one of {', '.join(SAMPLINGS)}")
    flat = training.sampling == "slices" or all(stage.slices for stage in recipe.stages.values())
    require(
        flat, where, "sampling", "“slices” where a stage sees patches, which are drawn by their share of all voxels"
    )
    start = training.starts_from
    require(start in (None, *recipe_names()), where, "starts_from", f"one of {', '.join(recipe_names())}")
    _check_choice(training.loss, LOSSES, f"{where} [loss]")
    for name, stage in recipe.stages.items():
        fitting = CLASS_LOSSES if stage.exclusive else LOSSES.keys() - CLASS_LOSSES
        why = f"as the labels of {name} {'exclude' if stage.exclusive else 'do not exclude'} each other"
        known = f"one of {', '.join(loss for loss in LOSSES if loss in fitting)}, {why}"
        require(training.loss.name in fitting, f"{where} [loss]", "name", known)
    _check_choice(training.optimiser, OPTIMISERS, f"{where} [optimiser]", given=1)
    rate = training.optimiser.arguments["learning_rate"]
    positive = isinstance(rate, int | float) and rate > 0
    require(positive, f"{where} [optimiser]", "learning_rate", "a number above 0")
    _check_choice(training.schedule, SCHEDULES, f"{where} [schedule]", given=2)
    for number, entry in enumerate(training.augmentation, 1):
        place = f"{where} [augmentation {number}]"
        _check_choice(entry, AUGMENTATIONS, place, given=1)
        require(0 < entry.probability <= 1, place, "probability", "above 0 and at most 1")
        require(entry.only in (None, *stages), place, "only", f"one of {', '.join(stages)}")
        meant = [recipe.stages[name] for name in stages if entry.only in (None, name)]
        flat = entry.name not in HU_AUGMENTATIONS or all(stage.slices for stage in meant)
        require(flat, place, "name", f"another one for patches than {', '.join(HU_AUGMENTATIONS)}")
        shown = entry.name not in SYNTHETIC_LESIONS or all("lungs" in stage.finds for stage in meant)
        require(shown, place, "name", "another one for a stage that does not find the lungs")


def _check_numbers(training: Training, where: str) -> None:
    require(training.batch > 0, where, "batch", "above 0")
    require(0 <= training.average < 1, where, "average", "from 0 to below 1")
    require(0 < training.final_weight <= 1, where, "final_weight", "above 0 and at most 1")
    require(training.watch in WATCHED, where, "watch", f"one of {', '.join(WATCHED)}")
    require(training.keep in KEPT, where, "keep", f"one of {', '.join(KEPT)}")
    require(training.clip > 0, where, "clip", "above 0")
    for key in ("steps_per_epoch", "early_stopping", "validate_every"):
        number = getattr(training, key)
        require(number is None or number > 0, where, key, "above 0")
    if training.split is not None:
        require(training.split.train > 0, f"{where} [split]", "train", "above 0")


def _check_choice(choice: Component, registry: Mapping[str, Callable[..., Any]], where: str, given: int = 0) -> None:
    """The name is one of the registry's, and the arguments are its function's but for the first `given` ones."""
    require(choice.name in registry, where, "name", f"one of {', '.join(registry)}")
    _bound(choice.name, registry[choice.name], choice.arguments, where, given)


def _bound(
    name: str, function: Callable[..., Any], arguments: Mapping[str, Any], where: str, given: int = 0
) -> dict[str, Any]:
    """The arguments that a function would be called with, defaults too, but for `given` ones that the code adds."""
    try:
        bound = inspect.signature(function).bind(*[None] * given, **arguments)
    except TypeError as error:
        raise InputError(f"The recipe {where} has “arguments” that {name} does not take: {error}.") from error
    bound.apply_defaults()
    return dict(bound.arguments)
