"""The networks of a model with their weights, ready to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import nn

from .. import networks, recipes
from ..errors import InputError
from ..inference.loaded_stage import LoadedStage
from ..networks.weights import check_state_fits, load_unique_state
from ..recipe import STAGES, Recipe
from .catalogue import find_model
from .model import Model


def recipe_of(model: Model) -> Recipe:
    """Load the recipe of a model, with the ablation that its card names.

    Raises:
        InputError: Same as in `recipes.load`.
    """
    return recipes.load(model.recipe, model.card.get("ablation"))


def load_stages(model: Model, device: torch.device, wanted: Sequence[str] = STAGES) -> dict[str, LoadedStage]:
    """Load the stages of a model that have networks, in the order in which they run.

    If the recipe does not find lungs but names a model for them, the lung stage of that model comes first.

    Args:
        model: The model. The networks of an untrained model are initialised from a fixed seed.
        device: Where the networks run.
        wanted: Names of the stages to load.

    Returns:
        Stages by name.

    Raises:
        InputError: The weights are not those of the card or of other networks.
    """
    recipe = recipe_of(model)
    loaded: dict[str, LoadedStage] = {}
    if recipe.lungs_from is not None and "lungs" in wanted:
        loaded |= load_stages(find_model(recipe.lungs_from), device, ["lungs"])
    if not model.trained:
        torch.manual_seed(0)
        tensors: dict[str, torch.Tensor] | None = None
    else:
        tensors = _read_tensors(model.verified_weights(), recipe, model.name, model.remedy)
    for name, stage in recipe.stages.items():
        if name in wanted:
            loaded[name] = LoadedStage(stage, _build_network(model, recipe, name, tensors, device), model.temperature)
    return loaded


def check_weights(recipe: Recipe, data: bytes, name: str, remedy: str) -> None:
    """Check that a safetensors file contains the weights of all networks of a recipe.

    Args:
        recipe: The recipe of the model.
        data: Content of the file.
        name: Name of the model, for error messages.
        remedy: A sentence that ends the error messages.

    Raises:
        InputError: Weights are missing, of another shape, NaN or infinite.
    """
    tensors = _read_tensors(data, recipe, name, remedy)
    for stage_name in recipe.stages:
        _weights_of_stage(recipe, stage_name, tensors, name, remedy)


def _read_tensors(data: bytes, recipe: Recipe, name: str, remedy: str) -> dict[str, torch.Tensor]:
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise _mismatch(recipe, name, remedy) from error
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        # Such a network would return meaningless masks without any error.
        raise InputError(
            f'The weights of the model "{name}" contain NaN or infinity, as after a training that diverged, and are '
            "not used. Train it again with a lower learning rate."
        )
    return tensors


def _build_network(
    model: Model, recipe: Recipe, name: str, tensors: Mapping[str, torch.Tensor] | None, device: torch.device
) -> nn.Module:
    stage = recipe.stages[name]
    own = None if tensors is None else _weights_of_stage(recipe, name, tensors, model.name, model.remedy)
    network = networks.build(stage.network, stage.arguments)
    if own is not None:
        load_unique_state(network, own)
    layout = torch.channels_last if stage.slices is not None else torch.channels_last_3d
    return network.float().eval().to(device).to(memory_format=layout)  # type: ignore[call-overload]


def _weights_of_stage(
    recipe: Recipe, stage: str, tensors: Mapping[str, torch.Tensor], name: str, remedy: str
) -> dict[str, torch.Tensor]:
    """Return the weights of a stage if they fit its network.

    The network is compared without memory for its weights: a recipe of others may describe one of any size.
    """
    network = networks.build_without_memory(recipe.stages[stage].network, recipe.stages[stage].arguments)
    prefix = f"{stage}."
    own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    try:
        check_state_fits(network, own)
    except ValueError as error:
        raise _mismatch(recipe, name, remedy) from error
    return own


def _mismatch(recipe: Recipe, name: str, remedy: str) -> InputError:
    return InputError(f'The weights of the model "{name}" do not fit its recipe "{recipe.name}". {remedy}')
