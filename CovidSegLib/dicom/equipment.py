"""What made the objects: CovidSeg as the equipment, the model as the algorithm and as contributing equipment."""

from __future__ import annotations

from typing import Any

from highdicom import AlgorithmIdentificationSequence, ContributingEquipment
from highdicom.sr import AlgorithmIdentification, DeviceObserverIdentifyingAttributes

from .. import __version__
from ..notices import NOT_FOR_DIAGNOSIS
from .codes import ARTIFICIAL_INTELLIGENCE, PROCESSING_EQUIPMENT
from .tracking import stable_uid

MANUFACTURER = "CovidSeg"
PRODUCT = "CovidSeg"
#: Longest value of the representation LO.
LONGEST = 64


def equipment(provenance: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of the equipment modules, as arguments for highdicom.

    A serial number is required. That of software is what identifies the copy that ran: the weights of its model.
    """
    return {
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": PRODUCT,
        "software_versions": _version(provenance),
        "device_serial_number": str(_model(provenance).get("sha256") or "unknown")[:LONGEST],
    }


def contributing_equipment(provenance: dict[str, Any]) -> list[ContributingEquipment]:
    """Return the models that computed the masks, with the SHA-256 of their weights."""
    models = [("infection", _model(provenance)), ("lungs", provenance.get("lungs_model") or {})]
    return [
        ContributingEquipment(
            MANUFACTURER,
            PROCESSING_EQUIPMENT,
            manufacturer_model_name=_model_name(model),
            software_versions=_version(provenance),
            device_serial_number=str(model.get("sha256") or "unknown")[:LONGEST],
            contribution_description=f"Model that segmented the {target}. {NOT_FOR_DIAGNOSIS}",
        )
        for target, model in models
        if model
    ]


def segment_algorithm(provenance: dict[str, Any]) -> AlgorithmIdentificationSequence:
    """Return the algorithm of a segment."""
    return AlgorithmIdentificationSequence(
        name=_model_name(_model(provenance)),
        family=ARTIFICIAL_INTELLIGENCE,
        version=_version(provenance),
        source=MANUFACTURER,
        parameters=_parameters(provenance),
    )


def report_algorithm(provenance: dict[str, Any]) -> AlgorithmIdentification:
    """Return the algorithm of a measurement."""
    parameters = [f"{name}={value}" for name, value in _parameters(provenance).items()]
    return AlgorithmIdentification(
        name=_model_name(_model(provenance)), version=_version(provenance), parameters=parameters or None
    )


def observer(provenance: dict[str, Any]) -> DeviceObserverIdentifyingAttributes:
    """Return the device that observed: this version of CovidSeg with this model."""
    version, model = _version(provenance), _model(provenance)
    return DeviceObserverIdentifyingAttributes(
        uid=stable_uid("device", version, model.get("sha256")),
        name=PRODUCT,
        manufacturer_name=MANUFACTURER,
        model_name=_model_name(model),
        serial_number=str(model.get("sha256") or "unknown")[:LONGEST],
    )


def _model(provenance: dict[str, Any]) -> dict[str, Any]:
    model = provenance.get("model")
    return model if isinstance(model, dict) else {}


def _model_name(model: dict[str, Any]) -> str:
    """Return the name of a model in ASCII, without the backslash, which separates values in DICOM."""
    name = str(model.get("name") or "unknown model").encode("ascii", "replace").decode("ascii")
    return name.replace("\\", "/")[:LONGEST]


def _version(provenance: dict[str, Any]) -> str:
    return str((provenance.get("versions") or {}).get("covidseg") or __version__)


def _parameters(provenance: dict[str, Any]) -> dict[str, str]:
    settings = provenance.get("settings") or {}
    return {str(name): f"{value:g}" for name, value in settings.items() if isinstance(value, int | float)}
