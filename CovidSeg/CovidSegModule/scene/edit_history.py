"""The edits and decisions that can be undone after a scene was saved and loaded.

Slicer keeps its history of a segmentation in memory only. This history is an attribute of the segmentation node. It
holds what each edit has changed: the voxels, compressed, the tag with numbers and states of the lesions, and the
threshold. It is limited in length and in size, and it is used only while the masks are exactly those at its present
position.
"""

from __future__ import annotations

import base64
import json
import logging
import zlib
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from CovidSegLib.masks import Box, bounding_box

from . import lesions as nodes
from .review import THRESHOLD_ATTRIBUTE, Review
from .segmentations import INFECTION, LUNGS
from .voxels import BoxArray, join

#: Attribute of a segmentation node. It is stored in scenes.
ATTRIBUTE = "CovidSeg.History"
VERSION = 2
#: Number of edits, and size of the attribute in characters, beyond which the oldest edits are forgotten.
MOST_EDITS, MOST_CHARACTERS = 20, 400_000
#: Size of the unpacked attribute, far more than a history needs. A scene from elsewhere may hold anything.
MOST_BYTES = 20_000_000
SEGMENTS = (*LUNGS, INFECTION, nodes.REJECTED_SEGMENT)

#: Voxels that have changed: the box (z, y, x), as starts and stops, and the compressed bits of the mask in it.
_Change = tuple[list[int], bytes]
_Edit = dict[str, _Change]


@dataclass(frozen=True)
class _State:
    """Checksums of the masks, by segment, the tag of the lesions, and the threshold as it is stored.

    States with other thresholds are equal: after an undo in Slicer, the threshold follows later.
    """

    masks: dict[str, int]
    tag: str
    threshold: str | None = field(default=None, compare=False)


class EditHistory:
    """Follows the edits of a result, and undoes those that Slicer's history does not have.

    Args:
        review: The result.

    Attributes:
        returns: How often masks and stored lesions have become those of an earlier or a later edit again.
    """

    def __init__(self, review: Review):
        self.returns = 0
        self._review = review
        self._masks: dict[str, BoxArray | None] = {}
        self._sums: dict[str, int] = {}
        self._states: list[_State] = []
        self._edits: list[_Edit] = []
        self._position = 0
        #: Number of edits, from the first, that Slicer's history does not have.
        self._own = 0
        self._saves = review.saves
        #: The masks before the last edit, to which further movements of a slider are added.
        self._base: dict[str, BoxArray | None] | None = None
        self._read()

    # --- undo ---

    def undo(self) -> None:
        """Undo the last edit."""
        self.note()
        if 0 < self._position <= self._own:
            self._go(self._position - 1)
        elif self._position or not self._own:
            self._review.editor.undo()
            self.note()

    def redo(self) -> None:
        """Undo the last undo."""
        self.note()
        if self._position < self._own:
            self._go(self._position + 1)
        else:
            self._review.editor.redo()
            self.note()

    def _go(self, position: int) -> None:
        """Go to the state before or after the present one."""
        edit, state = self._edits[min(position, self._position)], self._states[position]
        for name, change in edit.items():
            mask = _changed(self._review.mask(name), change)
            if name == nodes.REJECTED_SEGMENT:
                nodes.write_rejected(self._review, mask)
            else:
                self._review.write(name, mask, undo=False)
        nodes.write_tag(self._review.segmentation, state.tag)
        self._review.segmentation.SetAttribute(THRESHOLD_ATTRIBUTE, state.threshold)
        self._review.jumps += 1
        self.returns += 1
        self._position = position
        self._own = len(self._edits)  # writing has emptied what Slicer could redo
        self._take()
        self._write()

    # --- following ---

    def note(self) -> None:
        """Note what has changed since the last call. Call this after each edit, and before the next."""
        before, sums = self._masks, self._sums
        self._take()
        segmentation = self._review.segmentation
        present = _State(self._sums, nodes.read_marks(segmentation)[0], segmentation.GetAttribute(THRESHOLD_ATTRIBUTE))
        decided, self._saves = self._review.saves != self._saves, self._review.saves
        if not self._states:
            self._states = [present]
            return
        known = self._states[self._position]
        if present == known:
            return
        if not sums:  # the first look after loading a scene
            if present.masks != known.masks:
                logging.info("CovidSeg: the stored edits cannot be undone, because the masks were changed since.")
                self._states, self._edits, self._position, self._own = [present], [], 0, 0
            else:
                self._states[self._position] = present
        elif decided or not self._is_other_position(present):
            if present.masks == known.masks and (not decided or not known.tag):
                self._states[self._position] = present  # lesions were numbered, which is not an edit
            else:
                self._append(present, before, joins=not decided and self._is_ours(before))
        self._write()

    def _is_other_position(self, present: _State) -> bool:
        """Go to the position with the present masks, as after an undo in Slicer. Return False if there is none."""
        near = sorted(range(len(self._states)), key=lambda at: abs(at - self._position))
        same = [at for at in near if self._states[at] == present]
        if same:
            self.returns += same[0] != self._position
        else:  # lesions may have been numbered since
            same = [at for at in near if abs(at - self._position) == 1 and self._states[at].masks == present.masks]
        if same:
            self._position, self._base = same[0], None
            self._states[same[0]] = replace(present, threshold=self._states[same[0]].threshold)
            return True
        return False

    def _append(self, present: _State, before: dict[str, BoxArray | None], joins: bool) -> None:
        """Add an edit, or add to the last one."""
        if joins and self._base is not None and self._position == len(self._edits):
            before = self._base
            self._edits.pop()
            self._states.pop()
            self._position -= 1
        del self._edits[self._position :], self._states[self._position + 1 :]
        self._own = min(self._own, self._position)
        names = [name for name in SEGMENTS if before.get(name) is not self._masks[name]]
        changes = {name: _difference(before.get(name), self._masks[name]) for name in names}
        self._edits.append({name: change for name, change in changes.items() if change is not None})
        self._states.append(present)
        self._position += 1
        self._base = before
        while len(self._edits) > MOST_EDITS:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        del self._edits[0], self._states[0]
        self._position, self._own = self._position - 1, max(self._own - 1, 0)

    def _is_ours(self, before: dict[str, BoxArray | None]) -> bool:
        """Return True if CovidSeg has written all masks that have changed, as a slider does."""
        changed = [name for name in SEGMENTS if before.get(name) is not self._masks[name]]
        return all(self._review.was_written(name) for name in changed)

    def _take(self) -> None:
        """Take over the present masks and their checksums."""
        masks = {name: self._review.mask(name) for name in SEGMENTS}
        known = self._masks
        self._sums = {
            name: self._sums[name] if name in known and known[name] is mask else _checksum(mask)
            for name, mask in masks.items()
        }
        self._masks = masks

    # --- the attribute ---

    def _write(self) -> None:
        """Store the history in the scene."""
        text = self._as_text()
        while len(text) > MOST_CHARACTERS and self._position > 0:
            self._forget_oldest()
            text = self._as_text()
        if len(text) > MOST_CHARACTERS:
            text = ""
        self._review.segmentation.SetAttribute(ATTRIBUTE, text or None)

    def _as_text(self) -> str:
        edits = [
            {name: [box, base64.b64encode(bits).decode()] for name, (box, bits) in edit.items()} for edit in self._edits
        ]
        states = [[state.masks, state.tag, state.threshold] for state in self._states]
        content = {"version": VERSION, "position": self._position, "states": states, "edits": edits}
        return base64.b64encode(zlib.compress(json.dumps(content).encode(), 1)).decode()

    def _read(self) -> None:
        """Read the history of a scene that was loaded. One that is damaged or of another version is not used."""
        text = self._review.segmentation.GetAttribute(ATTRIBUTE)
        if not text:
            return
        try:
            unpacked = zlib.decompressobj()
            content = json.loads(unpacked.decompress(base64.b64decode(text, validate=True), MOST_BYTES))
            if content["version"] != VERSION:
                logging.info("CovidSeg: edits were stored by another version of CovidSeg and cannot be undone.")
                return
            states = [
                _State({name: int(masks[name]) for name in SEGMENTS}, str(tag), _checked_threshold(threshold))
                for masks, tag, threshold in content["states"]
            ]
            edits = [_checked_edit(edit, self._review.grid.shape) for edit in content["edits"]]
            position = int(content["position"])
            if len(states) != len(edits) + 1 or not 0 <= position <= len(edits) <= MOST_EDITS:
                raise ValueError("the history is not complete")
        except (ValueError, KeyError, TypeError, zlib.error) as error:
            logging.warning("CovidSeg: the stored edits are damaged and cannot be undone: %s", error)
            return
        self._states, self._edits, self._position, self._own = states, edits, position, len(edits)


def _checksum(mask: BoxArray | None) -> int:
    """Return a checksum of a mask in its bounding box."""
    if mask is None:
        return 0
    place = repr([(part.start, part.stop) for part in mask.box]).encode()
    return zlib.crc32(np.packbits(mask.array).tobytes(), zlib.crc32(place))


def _difference(first: BoxArray | None, second: BoxArray | None) -> _Change | None:
    """Return the voxels in which two masks differ, or None if there are none."""
    box = join(first.box if first else None, second.box if second else None)
    if box is None:
        return None
    masks = [mask.crop(box) for mask in (first, second) if mask]
    different = masks[0] != masks[1] if len(masks) == 2 else masks[0]
    within = bounding_box(different)
    if within is None:
        return None
    place = [bound + b.start for a, b in zip(within, box, strict=True) for bound in (a.start, a.stop)]
    return place, zlib.compress(np.packbits(different[within]).tobytes(), 1)


def _changed(mask: BoxArray | None, change: _Change) -> BoxArray:
    """Return a mask with the voxels of a change turned over."""
    box = _box(change[0])
    shape = [part.stop - part.start for part in box]
    bits = np.frombuffer(zlib.decompress(change[1]), np.uint8)
    different = np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape).astype(bool)
    whole = join(box, mask.box if mask else None)
    assert whole is not None
    flipped = BoxArray(different, box).crop(whole)
    return BoxArray(flipped if mask is None else flipped != mask.crop(whole), whole)


def _checked_threshold(text: object) -> str | None:
    """Return a threshold as it was stored.

    Raises:
        ValueError: It is not a number from 0 to 1.
    """
    if text is None:
        return None
    if not isinstance(text, str) or not 0 <= float(text) <= 1:
        raise ValueError("a threshold has the wrong value")
    return text


def _checked_edit(edit: dict[str, Any], shape: tuple[int, ...]) -> _Edit:
    """Return an edit as it was stored.

    Raises:
        ValueError: It names another segment, lies outside the CT, or has the wrong number of voxels.
    """
    checked: _Edit = {}
    for name, (place, text) in edit.items():
        box, bits = _box([int(bound) for bound in place]), base64.b64decode(text, validate=True)
        inside = all(0 <= part.start < part.stop <= size for part, size in zip(box, shape, strict=True))
        if name not in SEGMENTS or len(place) != 6 or not inside:
            raise ValueError("a change is not in this result")
        size = -(-int(np.prod([part.stop - part.start for part in box])) // 8)
        if len(zlib.decompressobj().decompress(bits, size + 1)) != size:
            raise ValueError("a change has the wrong size")
        checked[name] = ([int(bound) for bound in place], bits)
    return checked


def _box(place: list[int]) -> Box:
    z, y, x = (slice(start, stop) for start, stop in zip(place[::2], place[1::2], strict=True))
    return z, y, x
