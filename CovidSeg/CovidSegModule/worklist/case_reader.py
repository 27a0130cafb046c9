"""Read a case from its files, in a thread: the CT, the machine's masks, and those of the reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from slicer.i18n import tr as _

from CovidSegLib.alignment import onto_grid
from CovidSegLib.cohorts.case_list import Entry
from CovidSegLib.cohorts.case_masks import read_case_masks
from CovidSegLib.cohorts.corrections import Correction
from CovidSegLib.errors import InputError
from CovidSegLib.outputs.stored_result import read_probability
from CovidSegLib.outputs.terminology import SEGMENTS
from CovidSegLib.volume import Volume

from ..scene.result_files import ResultFiles, StoredSegment
from ..scene.review import original_codes
from ..scene.voxels import SMALLEST_BOX, BoxArray, cropped

#: Names and colours of the segments, by ID.
_LOOKS = {segment.identifier: segment for segment in SEGMENTS}
_GREY = (0.6, 0.6, 0.6)


class Abandoned(Exception):
    """The user has gone elsewhere, so that the case is not needed any more."""


@dataclass(frozen=True)
class CaseContent:
    """What a case holds.

    Attributes:
        volume: The CT.
        files: The masks as `scene.segmentations.add_segmentation` takes them; None if the case has no masks.
        original: The machine's masks, as `scene.review.original_codes` returns them; None if there are none.
        probability: The model's probability of infection; None if it is not known.
        tags: What the reader has noted with the masks earlier.
        notes: Sentences for the reader about what could not be read.
    """

    volume: Volume
    files: ResultFiles | None = None
    original: BoxArray | None = None
    probability: BoxArray | None = None
    tags: Mapping[str, str] | None = None
    notes: tuple[str, ...] = ()


def read_case(
    entry: Entry, correction: Callable[[], Correction] | None, is_abandoned: Callable[[], bool]
) -> CaseContent:
    """Read a case. Needs neither a scene nor VTK.

    Args:
        entry: The case.
        correction: Returns the masks as the reader has left them; None if the reader has not changed any.
        is_abandoned: Returns True when the case is not needed any more.

    Raises:
        InputError: The CT cannot be read. Masks that cannot be read are only noted.
        Abandoned: The case is not needed any more.
    """
    import scipy.ndimage
    import scipy.sparse.csgraph  # noqa: F401  # what follows in Slicer's main thread needs both, and loading takes long

    from CovidSegLib.reading.volume_reader import read_volume  # loads pydicom

    def go_on() -> None:
        if is_abandoned():
            raise Abandoned

    go_on()
    if not entry.ct.exists():
        text = _('The CT "{name}" is missing. It was moved or deleted, or its disk is not connected.')
        raise InputError(text.format(name=entry.ct.name))
    volume = read_volume(entry.ct, series=entry.series)
    go_on()
    notes = [*volume.warnings]
    masks: dict[str, BoxArray] = {}
    original = probability = None
    provenance: dict[str, Any] = {}
    if entry.masks:
        try:
            segmentation = read_case_masks(entry.masks, volume)
            masks = {name: cropped(mask) for name, mask in segmentation.segments.items()}
            provenance = segmentation.provenance
            original = original_codes(dict(masks))
            go_on()
            if entry.masks.masks is not None and entry.masks.masks.is_dir():
                stored = read_probability(entry.masks.masks, volume)
                probability = None if stored is None else cropped(stored)
        except InputError as error:
            notes.append(str(error))
    go_on()
    tags: Mapping[str, str] | None = None
    if correction is not None:
        try:
            changed = correction()
            on_ct = {name: onto_grid(mask, changed.grid, volume.grid) for name, mask in changed.masks.items()}
            masks, tags = {name: cropped(mask) for name, mask in on_ct.items()}, changed.tags
        except InputError as error:
            notes.append(str(error))
    files = _as_files(masks, volume, provenance, tags or {}) if masks else None
    return CaseContent(volume, files, original, probability, tags, tuple(notes))


def _as_files(
    masks: Mapping[str, BoxArray], volume: Volume, provenance: dict[str, Any], tags: Mapping[str, str]
) -> ResultFiles:
    """Return masks as if they were the files of a result. Each has a layer of its own, because masks may overlap."""
    segments, layers = [], []
    for layer, (name, mask) in enumerate(masks.items()):
        look = _LOOKS.get(name)
        own = {"TerminologyEntry": look.terminology_entry} if look else {}
        segments.append(
            StoredSegment(
                identifier=name,
                name=look.name if look else name,
                color=look.color if look else _GREY,
                layer=layer,
                label=1,
                tags={**own, **(tags if name == "infection" else {})},
            )
        )
        layers.append(BoxArray(mask.array.astype(np.uint8), mask.box))
    empty = BoxArray(np.zeros((1, 1, 1), np.uint8), SMALLEST_BOX)
    return ResultFiles({"provenance": provenance}, volume.grid, tuple(segments), tuple(layers), empty)
