"""Exported networks of a model, ready to run on the CPU without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .. import recipes
from ..errors import InputError
from ..inference.engines.openvino_engine import OpenVinoNetwork
from ..inference.loaded_stage import LoadedStage
from ..recipe import STAGES, Recipe
from .catalogue import find_model
from .model import Model


def outline_of(model: Model) -> Recipe:
    """Read the recipe of a model without checking its networks, which would import torch.

    Raises:
        InputError: Same as in `recipes.outline`.
    """
    return recipes.outline(model.recipe, model.card.get("ablation"))


def is_exported(model: Model) -> bool:
    """Return whether all networks that a model needs are exported, with those of the model that finds its lungs.

    Raises:
        InputError: The recipe cannot be read, or there is no model that finds the lungs.
    """
    recipe = outline_of(model)
    if not set(recipe.stages) <= set(model.graphs):
        return False
    return recipe.lungs_from is None or "lungs" in find_model(recipe.lungs_from).graphs


def load_exported(model: Model, wanted: Sequence[str] = STAGES) -> dict[str, LoadedStage]:
    """Load the exported networks of a model, in the order in which they run.

    Args:
        model: A model for which `is_exported` holds.
        wanted: Names of the stages to load.

    Returns:
        Stages by name.

    Raises:
        InputError: Weights or networks are not those of the card, or do not fit each other.
    """
    recipe = outline_of(model)
    loaded: dict[str, LoadedStage] = {}
    if recipe.lungs_from is not None and "lungs" in wanted:
        loaded |= load_exported(find_model(recipe.lungs_from), ["lungs"])
    tensors = read_arrays(model)
    for name, stage in recipe.stages.items():
        if name not in wanted:
            continue
        try:
            network = OpenVinoNetwork(model.verified_graph(name), weights_of_stage(tensors, name), stage.input_shape)
        except ValueError as error:
            raise InputError(
                f'The exported networks of the model "{model.name}" do not fit its weights. {model.remedy}'
            ) from error
        loaded[name] = LoadedStage(stage, network, model.temperature)
    return loaded


def read_arrays(model: Model) -> dict[str, np.ndarray]:
    """Read the verified weights of a model: arrays named STAGE.PARAMETER.

    Raises:
        InputError: They are not those of the card, or contain NaN or infinity.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(model.verified_weights())
    except SafetensorError as error:
        raise InputError(f'The weights of the model "{model.name}" cannot be read. {model.remedy}') from error
    if not all(np.isfinite(array).all() for array in arrays.values()):
        # Such a network would return meaningless masks without any error.
        raise InputError(
            f'The weights of the model "{model.name}" contain NaN or infinity, as after a training that diverged, and '
            "are not used. Train it again with a lower learning rate."
        )
    return arrays


def weights_of_stage(arrays: Mapping[str, np.ndarray], stage: str) -> dict[str, np.ndarray]:
    """Return the weights of a stage by the names of its network's parameters."""
    prefix = f"{stage}."
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
