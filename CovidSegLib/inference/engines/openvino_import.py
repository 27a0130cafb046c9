"""Import OpenVINO without what reports its use."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

#: OpenVINO's tool for the conversion of models. It sends an event over the network when it is imported, which the
#: package `openvino` does if it can. CovidSeg needs neither.
REPORTING = ("openvino.tools.ovc", "openvino_telemetry")


def import_openvino() -> ModuleType:
    """Return the package `openvino`. Nothing is sent anywhere.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    if "openvino" not in sys.modules:
        blocked = [name for name in REPORTING if name not in sys.modules]
        for name in blocked:
            sys.modules[name] = None  # type: ignore[assignment]  # an import fails as if it were not installed
        try:
            importlib.import_module("openvino")
        finally:
            for name in blocked:
                del sys.modules[name]
    return sys.modules["openvino"]
