"""Node attributes that record which model and version produced a node."""

from __future__ import annotations

import json
from typing import Any

import slicer
from slicer.i18n import tr as _

from CovidSegLib.notices import NOT_FOR_DIAGNOSIS

#: Names of the attributes, in the order in which `set_provenance` fills them. They are stored in scenes.
ATTRIBUTES = ("CovidSeg.Version", "CovidSeg.Model", "CovidSeg.ModelSHA256", "CovidSeg.Provenance")


def set_provenance(node: slicer.vtkMRMLNode, provenance: dict[str, Any]) -> None:
    """Record on a node which model and version it was made with. The attributes are saved with the scene.

    Args:
        node: The node to mark.
        provenance: The `provenance` object of `report.json`.
    """
    model = provenance.get("model") or {}
    version = (provenance.get("versions") or {}).get("covidseg")
    values = (version, model.get("name"), model.get("sha256"), json.dumps(provenance, sort_keys=True))
    for name, value in zip(ATTRIBUTES, values, strict=True):
        node.SetAttribute(name, "" if value is None else str(value))
    made_by = _("Made by CovidSeg with the model {name}.").format(name=model.get("name"))
    node.SetDescription(f"{made_by} {NOT_FOR_DIAGNOSIS}")
