"""Checks of a recipe beyond the types of its values: known names, valid numbers, compatible parts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import InputError
from ..recipe import BACKGROUND, LABELS, TUMOUR_LABEL, Augmentation, Component, Recipe, Stage, Training
from .input_limits import check_input
from .parsing import require

#: Regions of the stages. The lungs are unknown before the first stage.
REGIONS = {"lungs": ("whole", "body"), "infection": ("whole", "body", "lungs")}
BLENDS = ("constant", "gaussian")
MONITORED, KEPT = ("validation-dice", "loss"), ("last", "best")
SAMPLINGS = ("slices", "millimetres", "data-sets")
TRAINING_LUNGS = ("target", "predicted")
CASE_KINDS = ("scans", "single-slices", "clean-scans")


def check(recipe: Recipe, file: str) -> None:
    """Check a recipe.

    Args:
        recipe: The recipe.
        file: Its file in error messages.

    Raises:
        InputError: A value is not allowed. The message names file, key and allowed values.
    """
    for name, stage in recipe.stages.items():
        _check_stage(name, stage, f"{file} [{name}]")
    _check_lungs(recipe, file)
    _check_training(recipe, f"{file} [training]")


def _check_lungs(recipe: Recipe, file: str) -> None:
    """Check that the lungs have exactly one source, and are not needed before they are known."""
    own = [name for name, stage in recipe.stages.items() if "lungs" in stage.finds]
    if TUMOUR_LABEL in recipe.infection.labels:  # the pipeline, which needs lungs, does not run such recipes
        return
    require("infection" in recipe.infection.finds, f"{file} [infection]", "labels", 'a list with "infection"')
    if recipe.lungs is not None:
        require("lungs" in own, f"{file} [lungs]", "labels", 'a list with "lungs", or "right_lung" and "left_lung"')
    needed = "left out, as a stage of the recipe finds the lungs" if own else "the name of a model that finds the lungs"
    require(bool(own) != (recipe.lungs_from is not None), file, "lungs_from", needed)
    if recipe.lungs is None and recipe.lungs_from is None:
        stage, where = recipe.infection, f"{file} [infection]"
        require(stage.region != "lungs", where, "region", "whole or body, as the lungs are not known before")
        require(stage.mask_margin_mm is None, where, "mask_margin_mm", "left out, as the lungs are not known before")


def _check_stage(name: str, stage: Stage, where: str) -> None:
    from ..networks import NETWORKS  # not at the top, because it imports torch

    require(stage.network in NETWORKS, where, "network", f"one of {', '.join(NETWORKS)}")
    require(stage.region in REGIONS[name], where, "region", f"one of {', '.join(REGIONS[name])}")
    if stage.mask_margin_mm is not None:
        require(name != "lungs", where, "mask_margin_mm", "left out, as the lungs are not known before")
    _check_labels(stage, where)
    one = (stage.slices is None) != (stage.patches is None)
    require(one, where, "slices", 'given, or "patches", but not both')
    check_input(stage, where)
    if stage.patches is not None:
        require(0 <= stage.patches.foreground <= 1, f"{where} [patches]", "foreground", "from 0 to 1")
        require(stage.patches.blend in BLENDS, f"{where} [patches]", "blend", f"one of {', '.join(BLENDS)}")
    _check_arguments(stage, NETWORKS[stage.network], where)


def _check_labels(stage: Stage, where: str) -> None:
    labels = stage.labels
    known = bool(labels) and set(labels) <= set(LABELS) and len(set(labels)) == len(labels)
    require(known, where, "labels", f"different ones of {', '.join(LABELS)}")
    require(labels != (BACKGROUND,), where, "labels", f'more than "{BACKGROUND}"')
    if BACKGROUND in labels:
        require(labels[0] == BACKGROUND, where, "labels", f'a list that starts with "{BACKGROUND}"')


def _check_arguments(stage: Stage, network: Callable[..., Any], where: str) -> None:
    arguments = _bound(stage.network, network, stage.arguments, where)
    channels, *sizes = stage.input_shape
    for key, needed, why in (
        ("spatial_dims", len(sizes), "as its input is " + ("slices" if stage.slices else "patches")),
        ("in_channels", channels, "the number of input slices"),
        ("out_channels", len(stage.labels), "the number of labels"),
    ):
        require(arguments.get(key, needed) == needed, where, f"arguments.{key}", f"{needed}, {why}")


def _check_training(recipe: Recipe, where: str) -> None:
    from ..training.optimisation import OPTIMISERS, SCHEDULES
    from . import names as recipe_names  # not at the top, because it imports this file

    training, stages = recipe.training, list(recipe.stages)
    names = " and ".join(f"one for {name}" for name in stages)
    require(list(training.epochs) == stages, where, "epochs", f"numbers, {names}")
    for name in stages:
        require(training.epochs[name] > 0, where, f"epochs.{name}", "above 0")
    _check_numbers(training, where)
    require(training.sampling in SAMPLINGS, where, "sampling", f"one of {', '.join(SAMPLINGS)}")
    only_slices = all(stage.slices for stage in recipe.stages.values())
    allowed = '"slices" if a stage has patches, which are drawn in proportion to their voxels'
    require(training.sampling == "slices" or only_slices, where, "sampling", allowed)
    _check_shares(training, stages, where)
    require(training.sampling != "data-sets" or not training.shares, where, "shares", 'left out with "data-sets"')
    require(not training.shares or only_slices, where, "shares", "left out if a stage has patches")
    require(not training.skip_dark or only_slices, where, "skip_dark", "false if a stage has patches")
    own_stage = recipe.lungs is not None and "lungs" not in recipe.infection.finds
    choices = TRAINING_LUNGS if own_stage else TRAINING_LUNGS[:1]
    why = "" if own_stage else ", as the lungs are not found by a stage of their own"
    require(training.lungs in choices, where, "lungs", f"one of {', '.join(choices)}{why}")
    start = training.starts_from
    require(start in (None, *recipe_names()), where, "starts_from", f"one of {', '.join(recipe_names())}")
    _check_loss(recipe, f"{where} [loss]")
    _check_component(training.optimiser, OPTIMISERS, f"{where} [optimiser]", given=1)
    rate = training.optimiser.arguments["learning_rate"]
    positive = isinstance(rate, int | float) and rate > 0
    require(positive, f"{where} [optimiser]", "learning_rate", "a number above 0")
    _check_component(training.schedule, SCHEDULES, f"{where} [schedule]", given=2)
    for number, entry in enumerate(training.augmentation, 1):
        _check_augmentation(recipe, entry, f"{where} [augmentation {number}]")


def _check_shares(training: Training, stages: Sequence[str], where: str) -> None:
    for stage, by_kind in training.shares.items():
        require(stage in stages, where, "shares", f"tables for {' or '.join(stages)}")
        require(set(by_kind) <= set(CASE_KINDS), where, f"shares.{stage}", f"numbers for {', '.join(CASE_KINDS)}")
        require(all(share > 0 for share in by_kind.values()), where, f"shares.{stage}", "numbers above 0")


def _check_loss(recipe: Recipe, where: str) -> None:
    """Check that the loss takes the kind of mask that the labels of every stage make."""
    from ..training.losses import CLASS_LOSSES, LOSSES

    loss = recipe.training.loss
    _check_component(loss, LOSSES, where)
    for name, stage in recipe.stages.items():
        fitting = CLASS_LOSSES if stage.exclusive else LOSSES.keys() - CLASS_LOSSES
        why = f"as the labels of {name} {'exclude' if stage.exclusive else 'do not exclude'} each other"
        allowed = f"one of {', '.join(known for known in LOSSES if known in fitting)}, {why}"
        require(loss.name in fitting, where, "name", allowed)


def _check_augmentation(recipe: Recipe, entry: Augmentation, where: str) -> None:
    from ..training.augmentation import AUGMENTATIONS, HU_AUGMENTATIONS, SYNTHETIC_LESIONS

    _check_component(entry, AUGMENTATIONS, where, given=1)
    require(0 < entry.probability <= 1, where, "probability", "above 0 and at most 1")
    require(entry.only in (None, *recipe.stages), where, "only", f"one of {', '.join(recipe.stages)}")
    augmented = [stage for name, stage in recipe.stages.items() if entry.only in (None, name)]
    for_patches = entry.name not in HU_AUGMENTATIONS or all(stage.slices for stage in augmented)
    require(for_patches, where, "name", f"none of {', '.join(HU_AUGMENTATIONS)} for patches")
    without_lungs = entry.name not in SYNTHETIC_LESIONS or all("lungs" in stage.finds for stage in augmented)
    allowed = f"none of {', '.join(SYNTHETIC_LESIONS)} for a stage that does not find the lungs"
    require(without_lungs, where, "name", allowed)


def _check_numbers(training: Training, where: str) -> None:
    require(training.batch > 0, where, "batch", "above 0")
    require(0 <= training.average < 1, where, "average", "from 0 to below 1")
    require(0 < training.final_weight <= 1, where, "final_weight", "above 0 and at most 1")
    require(training.watch in MONITORED, where, "watch", f"one of {', '.join(MONITORED)}")
    require(training.keep in KEPT, where, "keep", f"one of {', '.join(KEPT)}")
    require(training.clip >= 0, where, "clip", "0 or more")
    for key in ("steps_per_epoch", "early_stopping", "validate_every"):
        number = getattr(training, key)
        require(number is None or number > 0, where, key, "above 0")
    if training.split is not None:
        require(training.split.train > 0, f"{where} [split]", "train", "above 0")


def _check_component(
    component: Component, registry: Mapping[str, Callable[..., Any]], where: str, given: int = 0
) -> None:
    """Check the name, and the arguments except for the first `given` ones, which the code passes."""
    require(component.name in registry, where, "name", f"one of {', '.join(registry)}")
    _bound(component.name, registry[component.name], component.arguments, where, given)


def _bound(
    name: str, function: Callable[..., Any], arguments: Mapping[str, Any], where: str, given: int = 0
) -> dict[str, Any]:
    """Return the arguments of a call including defaults. The first `given` ones are passed by the code."""
    try:
        bound = inspect.signature(function).bind(*[None] * given, **arguments)
    except TypeError as error:
        raise InputError(f'The recipe {where} has wrong "arguments" for {name}: {error}.') from error
    bound.apply_defaults()
    return dict(bound.arguments)
