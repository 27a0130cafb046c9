"""The networks of a model, with its weights, ready to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import nn

from .. import models, networks, recipes
from ..errors import InputError
from ..inference.loaded_stage import LoadedStage
from ..networks.weights import load_unique_state
from ..recipe import STAGES, Recipe
from . import Model


def recipe_of(model: Model) -> Recipe:
    """The recipe of a model, with the row of an ablation that its card names.

    Raises:
        InputError: As of `recipes.load`.
    """
    return recipes.load(model.recipe, model.card.get("ablation"))


def load_stages(model: Model, device: torch.device, wanted: Sequence[str] = STAGES) -> dict[str, LoadedStage]:
    """The stages of a model that have networks, in the order in which they run.

    Where the recipe finds no lungs and says from which model they are taken, that model's lung stage is the first.

    Args:
        model: Recipe and weights; the networks of an untrained model start from a fixed seed.
        device: Where they run.
        wanted: Names of stages; others are left out.

    Raises:
        InputError: The weights are not to be trusted, or are those of other networks, or the recipe finds no infection.
    """
    recipe = recipe_of(model)
    if "infection" not in recipe.infection.finds:
        raise InputError(
            f"The recipe “{recipe.name}” finds {recipe.infection.labels[-1]} and no infection: it is there to train a "
            "network before another one, and cannot segment by itself."
        )
    loaded: dict[str, LoadedStage] = {}
    if recipe.lungs_from is not None and "lungs" in wanted:
        loaded |= load_stages(models.find(recipe.lungs_from), device, ["lungs"])
    if not model.trained:
        torch.manual_seed(0)
        tensors: dict[str, torch.Tensor] | None = None
    else:
        tensors = _tensors(model.verified_weights(), recipe, model.name, model.remedy)
    for name, stage in recipe.stages.items():
        if name in wanted:
            loaded[name] = LoadedStage(stage, _network(model, recipe, name, tensors, device), model.temperature)
    return loaded


def check_weights(recipe: Recipe, data: bytes, name: str, remedy: str) -> None:
    """Whether the content of a safetensors file is weights of all networks of a recipe.

    Args:
        recipe: Of the model.
        data: The content.
        name: What errors call the model.
        remedy: What they say can be done.

    Raises:
        InputError: It is not, or it holds NaN or infinity.
    """
    tensors = _tensors(data, recipe, name, remedy)
    for stage_name, stage in recipe.stages.items():
        network = networks.build(stage.network, stage.arguments)
        _fill(network, stage_name, tensors, recipe, name, remedy)


def _tensors(data: bytes, recipe: Recipe, name: str, remedy: str) -> dict[str, torch.Tensor]:
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise _misfit(recipe, name, remedy) from error
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        # From such a network come masks that mean nothing, and no error.
        raise InputError(
            f"The weights of the model “{name}” hold NaN or infinity, as after a training that diverged: they are not "
            "used; train it again with a lower learning rate."
        )
    return tensors


def _network(
    model: Model, recipe: Recipe, name: str, tensors: Mapping[str, torch.Tensor] | None, device: torch.device
) -> nn.Module:
    stage = recipe.stages[name]
    network = networks.build(stage.network, stage.arguments)
    if tensors is not None:
        _fill(network, name, tensors, recipe, model.name, model.remedy)
    layout = torch.channels_last if stage.slices is not None else torch.channels_last_3d
    return network.float().eval().to(device).to(memory_format=layout)  # type: ignore[call-overload]


def _fill(
    network: nn.Module, stage: str, tensors: Mapping[str, torch.Tensor], recipe: Recipe, name: str, remedy: str
) -> None:
    """Put the weights of a stage into its network."""
    prefix = f"{stage}."
    own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    try:
        load_unique_state(network, own)
    except ValueError as error:
        raise _misfit(recipe, name, remedy) from error


def _misfit(recipe: Recipe, name: str, remedy: str) -> InputError:
    return InputError(f"The weights of the model “{name}” do not fit its recipe “{recipe.name}”; {remedy}.")
