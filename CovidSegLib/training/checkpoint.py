"""Reading and writing of training checkpoints."""

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
    buffer = io.BytesIO()  # torch.save to a file hides the reason when the disk is full
    torch.save(state, buffer)
    with explain_disk_errors(path, if_full=FREE_SPACE_AND_RESUME, only_known=True):
        write_bytes_atomically(path, buffer.getbuffer())


def load(path: Path) -> dict[str, Any] | None:
    """Load a checkpoint that `save` wrote, on the CPU; return None if there is none. Pickled objects are refused.

    Raises:
        InputError: The file is damaged.
    """
    if not path.exists():
        return None
    try:
        return torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # torch has no specific exception for a damaged file
        raise InputError(
            f'The checkpoint "{path.name}" of the run cannot be read. Delete it to train this stage from the beginning.'
        ) from error
