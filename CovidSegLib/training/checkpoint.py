"""Checkpoints of a training."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError
from ..storage.atomic import write_bytes_atomically
from ..storage.disk_errors import explain_disk_errors

#: What to do when the disk is full during a training.
FREE_SPACE_AND_RESUME = "Free some space and continue with --resume; the last complete epoch is kept."


def save(path: Path, state: dict[str, Any]) -> None:
    """Save a checkpoint.

    Raises:
        InputError: The disk is full or refuses access; the earlier checkpoint is unchanged.
    """
    buffer = io.BytesIO()  # torch's own writer does not say that a disk is full
    torch.save(state, buffer)
    with explain_disk_errors(path, if_full=FREE_SPACE_AND_RESUME, only_known=True):
        write_bytes_atomically(path, buffer.getbuffer())


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
