"""The files of readers: the masks of a case as a reader has left them. The machine's masks are never written to."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..outputs.segment_file import FileSegment, extent_text, segments_image
from ..outputs.stored_result import ENDING, read_stored_image
from ..outputs.terminology import SEGMENTS
from ..outputs.writing import write_image
from ..storage.atomic import write_atomically
from ..storage.disk_errors import explain_disk_errors
from ..volume import Grid

#: Folder beside the file with the readings.
FOLDER = "readings"
#: Name, colour and terminology of segments by identifier; others are grey and have none.
_LOOKS = {segment.identifier: segment for segment in SEGMENTS}
_GREY = (0.6, 0.6, 0.6)


@dataclass(frozen=True)
class Correction:
    """The masks of a case as a reader has left them.

    Attributes:
        masks: Boolean masks (z, y, x) by the identifier of the segment: "right_lung", "left_lung", "infection", and
            others such as "rejected". They may overlap.
        grid: Their grid: a part of that of the CT.
        tags: Tags of the infection: what a reader has decided about its lesions.
    """

    masks: Mapping[str, np.ndarray]
    grid: Grid
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def infection_ml(self) -> float:
        """Volume of the infection."""
        return float(np.count_nonzero(self.masks["infection"]) * self.grid.voxel_ml)


def new_correction_path(folder: Path, case_id: str, reader: str) -> Path:
    """Return a path that no file has yet, for the masks of a case by a reader.

    Neither the name of the case nor that of the reader is in it as it is: the former may be that of a patient, and the
    latter may hold characters that a disk does not allow.

    Args:
        folder: Folder of the file with the readings.
        case_id: The case.
        reader: Name of the reader.
    """
    plain = re.sub(r"[^A-Za-z0-9]+", "-", reader).strip("-")[:24] or "reader"
    name = f"{_digest(case_id)}-{secrets.token_hex(4)}{ENDING}"
    return folder / FOLDER / f"{plain}-{_digest(reader)[:6]}" / name


def write_correction(path: Path, correction: Correction) -> None:
    """Write masks as `.seg.nrrd`, which `outputs.stored_result.read_masks` and 3D Slicer read. All of it, or nothing.

    Each segment has a layer of its own, so that masks which overlap are kept.

    Args:
        path: The file. Its folder is made if need be.
        correction: The masks.

    Raises:
        InputError: The file cannot be written.
    """
    image = segments_image(list(correction.masks.values()), correction.grid, _segments(correction))
    with explain_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda new: _write(image, new))


def _write(image: sitk.Image, new: Path) -> None:
    # SimpleITK chooses the format by the ending.
    named = new.with_name(f"{new.name}{ENDING}")
    try:
        write_image(named, image)
        named.replace(new)
    finally:
        with suppress(OSError):
            named.unlink(missing_ok=True)


def read_correction(path: Path) -> Correction:
    """Read masks that `write_correction` has written.

    Raises:
        InputError: The file is missing or damaged, or lacks a segment.
    """
    if not path.is_file():
        raise InputError(
            f'The correction "{path.name}" is missing: it was moved or deleted. The masks of the machine are shown.'
        )
    try:
        image = read_stored_image(path)
    except InputError as error:
        raise _damaged(path) from error
    layers = sitk.GetArrayViewFromImage(image)
    if layers.ndim == 3:
        layers = layers[..., np.newaxis]
    masks: dict[str, np.ndarray] = {}
    tags: dict[str, str] = {}
    for number in range(layers.shape[-1]):
        if not image.HasMetaDataKey(f"Segment{number}_ID"):
            break
        name = image.GetMetaData(f"Segment{number}_ID")
        masks[name] = layers[..., number] != 0
        if name == "infection":
            texts = (tag.partition(":") for tag in image.GetMetaData(f"Segment{number}_Tags").split("|") if tag)
            tags = {key: text for key, _, text in texts if key != "TerminologyEntry"}
    if not set(_LOOKS) <= set(masks):
        raise _damaged(path)
    return Correction(masks, Grid.of_image(image), tags)


def _damaged(path: Path) -> InputError:
    return InputError(f'The correction "{path.name}" is damaged. The masks of the machine are shown.')


def remove_correction(path: Path) -> None:
    """Remove a file that a newer one has replaced. It may stay where another program has it open."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _segments(correction: Correction) -> list[FileSegment]:
    segments = []
    for layer, (name, mask) in enumerate(correction.masks.items()):
        look = _LOOKS.get(name)
        tags = {"TerminologyEntry": look.terminology_entry} if look else {}
        if name == "infection":
            tags |= correction.tags
        title, color = (look.name, look.color) if look else (name, _GREY)
        segments.append(FileSegment(name, title, color, layer, 1, extent_text(mask), tags))
    return segments


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
