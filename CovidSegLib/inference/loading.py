"""The networks of a model, with its weights, ready to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import nn

from .. import models, networks, recipes
from ..errors import InputError
from ..models import Model
from ..networks.weights import load_unique_state
from ..recipe import STAGES, Recipe, Stage


class LoadedStage(NamedTuple):
    """A stage of a recipe and its network, in eval and on its device."""

    stage: Stage
    network: nn.Module


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
    recipe = recipes.of(model)
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
        tensors = None
    else:
        tensors = _tensors(model)
    for name, stage in recipe.stages.items():
        if name in wanted:
            loaded[name] = LoadedStage(stage, _network(model, name, stage, tensors, device))
    return loaded


def _tensors(model: Model) -> dict[str, torch.Tensor]:
    try:
        return load(model.verified_weights())
    except SafetensorError as error:
        raise _misfit(model) from error


def fits(recipe: Recipe, data: bytes) -> bool:
    """Whether the content of a safetensors file is weights of all networks of a recipe."""
    try:
        tensors = load(data)
        for name, stage in recipe.stages.items():
            _fill(networks.build(stage.network, stage.arguments), name, tensors)
    except (SafetensorError, ValueError):
        return False
    return True


def _fill(network: nn.Module, name: str, tensors: Mapping[str, torch.Tensor]) -> None:
    """Put the weights of a stage into its network; ValueError if they are another network's."""
    prefix = f"{name}."
    own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    load_unique_state(network, own)


def _network(
    model: Model, name: str, stage: Stage, tensors: Mapping[str, torch.Tensor] | None, device: torch.device
) -> nn.Module:
    network = networks.build(stage.network, stage.arguments)
    if tensors is not None:
        try:
            _fill(network, name, tensors)
        except ValueError as error:
            raise _misfit(model) from error
    layout = torch.channels_last if stage.slices is not None else torch.channels_last_3d
    return network.float().eval().to(device).to(memory_format=layout)  # type: ignore[call-overload]


def _misfit(model: Model) -> InputError:
    recipe = recipes.of(model).name
    return InputError(f"The weights of the model “{model.name}” do not fit its recipe “{recipe}”; {model.remedy}.")
