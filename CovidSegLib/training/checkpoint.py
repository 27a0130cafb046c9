"""Files of a run that are whole or not there: whoever is killed while writing one keeps the earlier one."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside the earlier one, on the disk to the last byte, and put it in its place.

    Args:
        path: The file.
        write: Writes it to the path that it is given.

    Raises:
        InputError: The disk is full; the earlier file is as it was.
    """
    new = path.with_name(f"{path.name}.new")
    try:
        write(new)
        with new.open("rb+") as file:
            os.fsync(file.fileno())
        new.replace(path)
    except (OSError, RuntimeError) as error:  # the latter is torch's, which does not say why
        with suppress(OSError):
            new.unlink(missing_ok=True)
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        if full or isinstance(error, RuntimeError):
            raise InputError(
                f"“{path.name}” of the run could not be written, as the disk is full or gone; make room and go on with "
                "--resume from the epoch before, which is kept."
            ) from error
        raise


def save(path: Path, state: dict[str, Any]) -> None:
    """Save a checkpoint.

    Raises:
        InputError: As of `write_whole`.
    """
    write_whole(path, lambda new: torch.save(state, new))


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
