"""Stages of recipes that differ from a default in a few settings."""

from __future__ import annotations

from typing import Any

from CovidSegLib.recipe import Intensity, Patches, Slices, Stage


def slice_stage(
    network: str = "none",
    arguments: dict[str, Any] | None = None,
    size: tuple[int, int] = (32, 32),
    window: tuple[float, float] = (-1000.0, 1000.0),
    count: int = 1,
    step_mm: float = 2.5,
    stretch: bool = False,
    **options: Any,
) -> Stage:
    """Return a stage that processes whole slices. `options` are further fields of Stage."""
    fields = {"labels": ("infection",), "intensity": Intensity(window), "region": "whole", **options}
    return Stage(network, arguments or {}, slices=Slices(size, count, step_mm, stretch), **fields)


def patch_stage(
    network: str = "none",
    arguments: dict[str, Any] | None = None,
    size: tuple[int, int, int] = (8, 16, 16),
    window: tuple[float, float] = (-1000.0, 1000.0),
    patches: dict[str, Any] | None = None,
    **options: Any,
) -> Stage:
    """Return a stage that processes patches of the whole scan. `patches` are further fields of Patches."""
    fields = {"labels": ("infection",), "intensity": Intensity(window), "region": "whole", **options}
    return Stage(network, arguments or {}, patches=Patches(size, **(patches or {})), **fields)
