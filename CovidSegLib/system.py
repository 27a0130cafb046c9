"""A model that is ready to run: its networks, loaded once for all scans of a process."""

from __future__ import annotations

import json
from dataclasses import dataclass

from . import models
from .errors import InputError
from .inference import LoadedStage, choose_device
from .inference.devices import check_device_name
from .inference.engines.choice import ENGINES, openvino_serves
from .models import Model
from .models.exported import is_exported, load_exported, outline_of
from .recipe import INFECTION_LABEL


@dataclass(frozen=True)
class System:
    """A model that is ready to run.

    Attributes:
        model: The model that predicts the infection.
        lung_model: The model that predicts the lungs: the same one, or the one that its recipe names.
        device: Name of the device of the networks.
        infection: The stage that predicts the infection, and possibly the lungs too.
        lungs: The preceding stage, which predicts the lungs only; None if one network predicts both.
    """

    model: Model
    lung_model: Model
    device: str
    infection: LoadedStage
    lungs: LoadedStage | None


#: The system of the last scan, by what it was loaded from. One suffices: folders of scans use one model.
_last: dict[str, System] = {}


def load_system(model: Model, device: str = "auto", engine: str = "auto", *, finding: str = INFECTION_LABEL) -> System:
    """Load the networks of a model on a device, or return those of the last scan if they are the same.

    Args:
        model: The model.
        device: "auto" (a GPU if there is one), "cpu", "cuda" or "mps"; see `inference.choose_device`.
        engine: "auto", "openvino" or "torch"; see `inference.engines`.
        finding: What the model must find, "infection" or "tumour".

    Raises:
        InputError: The model finds something else, its weights fail verification, or device or engine are not available
            for it.
    """
    check_device_name(device)
    if engine not in ENGINES:
        raise InputError(f'There is no engine "{engine}". Choose "auto", "openvino" or "torch".')
    outline = outline_of(model)
    found, lungs_from = outline.infection.finding, outline.lungs_from
    if found != finding:
        raise InputError(
            f'The recipe "{outline.name}" finds {found} but no {finding}. Choose a model that finds {finding}.'
        )
    lung_model = model if lungs_from is None else models.find_model(lungs_from)
    key = json.dumps([str(model.folder), model.card, str(lung_model.folder), lung_model.card, device, engine])
    if key not in _last:
        _last.clear()
        loaded = _load(model, lung_model, device, engine)
        if not model.trained:
            return loaded  # its recipe, which no SHA-256 describes, may change
        _last[key] = loaded
    return _last[key]


def _load(model: Model, lung_model: Model, device: str, engine: str) -> System:
    if engine == "openvino" or (engine == "auto" and openvino_serves(device)):
        if is_exported(model):
            stages = load_exported(model)
            return System(model, lung_model, "cpu", stages["infection"], stages.get("lungs"))
        if engine == "openvino":
            raise InputError(
                f'The networks of the model "{model.name}" are not exported. Choose the engine "torch", or pack the '
                "model again."
            )
    from .models.loading import load_stages  # imports torch, which takes seconds

    chosen = choose_device(device)
    stages = load_stages(model, chosen)
    return System(model, lung_model, str(chosen), stages["infection"], stages.get("lungs"))
