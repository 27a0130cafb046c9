"""Checkpoints of a training."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError
from ..storage.atomic import write_whole


def save(path: Path, state: dict[str, Any]) -> None:
    """Save a checkpoint.

    Raises:
        InputError: As of `write_whole`.
    """
    buffer = io.BytesIO()  # torch's own writer does not say that a disk is full
    torch.save(state, buffer)
    write_whole(path, lambda new: new.write_bytes(buffer.getbuffer()))


def load(path: Path) -> dict[str, Any] | None:
    """A checkpoint as `save` wrote it; None if there is none. No pickled objects are loaded.

    Raises:
        InputError: It is damaged.
    """
    if not path.exists():
        return None
    try:
        return torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # torch has no error of its own for it
        raise InputError(
            f"The checkpoint “{path.name}” of the run cannot be read; delete it to start this stage anew."
        ) from error
