"""Record how a result was made: model, settings, device, versions and durations."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from .inference.engines import SliceNetwork
from .models import Model
from .models.exported import outline_of
from .printable import printable
from .versions import package_versions


class Stopwatch:
    """Measures the duration of the steps of a run.

    Attributes:
        seconds: Duration of each step in seconds, by its name.
    """

    def __init__(self) -> None:
        self._started = self._last = time.monotonic()
        self.seconds: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """End a step and name it. The next step starts now."""
        now = time.monotonic()
        self.seconds[name] = round(now - self._last, 2)
        self._last = now

    @property
    def total(self) -> float:
        """Seconds since the stopwatch was made."""
        return round(time.monotonic() - self._started, 2)


def provenance_of(
    model: Model,
    lung_model: Model,
    device: str,
    network: SliceNetwork,
    settings: dict[str, float],
    stopwatch: Stopwatch,
) -> dict[str, Any]:
    """Return what is needed to reproduce a result, as JSON values.

    Args:
        model: The model that predicted the infection.
        lung_model: The model that predicted the lungs, often the same one.
        device: Name of the device on which the networks ran.
        network: A network of theirs, which knows its engine and its precision.
        settings: Threshold and other settings by name.
        stopwatch: Durations of the steps.
    """
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": _identity(model),
        **({} if lung_model is model else {"lungs_model": _identity(lung_model)}),
        "settings": settings,
        "device": device,
        "engine": network.engine,
        "precision": network.precision,
        "versions": package_versions(network.engine),
        "seconds": {**stopwatch.seconds, "total": stopwatch.total},
    }


def _identity(model: Model) -> dict[str, Any]:
    return {
        "name": printable(model.name),
        "title": model.title,
        "recipe": outline_of(model).name,
        "trained": model.trained,
        "sha256": model.card["sha256"],
        "licence": model.card.get("licence"),
    }
