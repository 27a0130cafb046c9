"""What a result is in the scene, and how sections read and change it.

A result is a segmentation node that refers to other nodes by role:

- the CT (Slicer's own role for the reference geometry),
- `CovidSeg.Table`: the table of its numbers (see `tables`),
- `CovidSeg.Probability`: a scalar volume, the model's probability of infection from 0 to 255 for 0 to 1,
- `CovidSeg.Original`: a label map with the model's masks as they were computed. Nothing writes to it, and Slicer's
  Segment Editor cannot: it edits segmentations only.

Both volumes are cropped to the lungs. They are not hidden from editors, because Slicer's dialog "Save" skips hidden
nodes. Results of earlier versions have neither; everything else works with them.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Protocol

import numpy as np
import slicer

from CovidSegLib.volume import Grid

from .nodes import place_beside
from .segmentations import INFECTION, LUNGS
from .surfaces import Surfaces
from .volumes import ROLE_ATTRIBUTE, grid_of
from .voxels import (
    BINARY_LABELMAP,
    SMALLEST_BOX,
    BoxArray,
    cropped,
    join,
    make_volume,
    segment_voxels,
    set_segment_voxels,
    volume_voxels,
)

#: Roles of the references from a segmentation node. They are stored in scenes.
PROBABILITY_ROLE, ORIGINAL_ROLE = "CovidSeg.Probability", "CovidSeg.Original"
#: Attribute of a segmentation node: the threshold of its infection. It is stored in scenes.
THRESHOLD_ATTRIBUTE = "CovidSeg.Threshold"
#: Values in the label map with the original masks: the lung, plus this value for infection.
ORIGINAL_LUNGS, ORIGINAL_INFECTION = {"right_lung": 1, "left_lung": 2}, 4
#: Events of a segmentation after which its masks may have changed.
MASK_EVENTS = (
    "SourceRepresentationModified",
    "RepresentationModified",
    "SegmentModified",
    "SegmentAdded",
    "SegmentRemoved",
)


def add_probability(
    segmentation: slicer.vtkMRMLSegmentationNode, ct: slicer.vtkMRMLScalarVolumeNode, probability: BoxArray
) -> slicer.vtkMRMLScalarVolumeNode:
    """Add the probability of infection to the scene, beside the CT, and refer to it from the segmentation."""
    return _add(segmentation, ct, probability, "vtkMRMLScalarVolumeNode", PROBABILITY_ROLE, "probability")


def add_original(
    segmentation: slicer.vtkMRMLSegmentationNode,
    ct: slicer.vtkMRMLScalarVolumeNode,
    codes: BoxArray | None = None,
) -> slicer.vtkMRMLLabelMapVolumeNode:
    """Keep the masks of a result as the model's original.

    Args:
        segmentation: The result.
        ct: The CT.
        codes: The masks as `original_codes` returns them; by default the present masks of the segmentation.
    """
    if codes is None:
        codes = original_codes({name: segment_voxels(segmentation, name, ct) for name in (*LUNGS, INFECTION)})
    return _add(segmentation, ct, codes, "vtkMRMLLabelMapVolumeNode", ORIGINAL_ROLE, "AI original")


def original_codes(masks: dict[str, BoxArray | None]) -> BoxArray:
    """Return masks in one array: the values of `ORIGINAL_LUNGS` plus `ORIGINAL_INFECTION`."""
    box = join(*(mask.box for mask in masks.values() if mask)) or SMALLEST_BOX
    codes = np.zeros([part.stop - part.start for part in box], np.uint8)
    for name, mask in masks.items():
        if mask is None:
            continue
        if name in ORIGINAL_LUNGS:
            codes[mask.crop(box)] = ORIGINAL_LUNGS[name]
        else:
            codes |= np.uint8(ORIGINAL_INFECTION) * mask.crop(box)
    return BoxArray(codes, box)


class Editor(Protocol):
    """What saves states for undo: Slicer's Segment Editor widget has these methods."""

    def saveStateForUndo(self) -> None:
        """Save the present state of the segmentation. Call this before a change."""

    def undo(self) -> None:
        """Go back to the last saved state."""

    def redo(self) -> None:
        """Undo an undo."""


class History:
    """An `Editor` that needs no widget.

    Args:
        segmentation: The segmentation node.
    """

    def __init__(self, segmentation: slicer.vtkMRMLSegmentationNode):
        self._history = slicer.vtkSegmentationHistory()
        self._history.SetSegmentation(segmentation.GetSegmentation())

    def saveStateForUndo(self) -> None:
        """Save the present state of the segmentation."""
        self._history.SaveState()

    def undo(self) -> None:
        """Go back to the last saved state."""
        if self._history.IsRestorePreviousStateAvailable():
            self._history.RestorePreviousState()

    def redo(self) -> None:
        """Undo an undo."""
        if self._history.IsRestoreNextStateAvailable():
            self._history.RestoreNextState()


class Review:
    """Reads and changes the masks of one result. Get it from `Reviews.of`, which keeps one for each result.

    Arrays are on the grid of the CT, as `BoxArray`: within a bounding box, zero outside. Treat them as read-only.

    Args:
        segmentation: The segmentation node of the result.

    Attributes:
        segmentation: The segmentation node.
        editor: Saves states for undo. The section with the Segment Editor sets it to its widget, so that there is one
            history for everything.
        version: Grows with each change of the masks. Compare it to find out whether to compute again.
        written: The version after the last `write`. A greater version was made by hand, or by undo or redo.
        saves: Grows with each `save_state`.
        jumps: Grows with each undo or redo of what was done before the scene was loaded. The masks are then others than
            any that were seen since.
        surfaces: Makes the surfaces of changed masks. The panel does so after a pause. Scripts call `surfaces.update`.

    Example:
        >>> review = reviews.of(parameters.result)  # doctest: +SKIP
        >>> infection = review.mask("infection")  # doctest: +SKIP
        >>> review.write_infection(BoxArray(infection.array & keep, infection.box))  # doctest: +SKIP
        >>> review.editor.undo()  # doctest: +SKIP
    """

    def __init__(self, segmentation: slicer.vtkMRMLSegmentationNode):
        self.segmentation = segmentation
        self.editor: Editor = History(segmentation)
        self.version = 0
        self.written = self.saves = self.jumps = 0
        self._written_states: dict[str, tuple[float, ...]] = {}
        self._observed = segmentation.GetSegmentation()
        self._observers = [
            self._observed.AddObserver(getattr(self._observed, name), self._on_change) for name in MASK_EVENTS
        ]
        self._callbacks: list[Callable[[], None]] = []
        self._originals: dict[str, BoxArray | None] = {}
        self._originals_key: tuple[float, ...] = ()
        self._masks: dict[str, tuple[tuple[float, ...], BoxArray | None]] = {}
        weak = weakref.proxy(self)  # a cycle of references would keep the masks of removed results in memory
        self.surfaces = Surfaces(
            segmentation, lambda name: weak.mask(name), lambda: weak.grid, lambda name: weak.state_of(name)
        )

    # --- nodes ---

    @property
    def ct(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The CT that was segmented, or None if it is no longer in the scene."""
        return self.segmentation.GetNodeReference(self.segmentation.GetReferenceImageGeometryReferenceRole())

    @property
    def probability_node(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The volume with the probabilities, or None."""
        return self.segmentation.GetNodeReference(PROBABILITY_ROLE)

    @property
    def original_node(self) -> slicer.vtkMRMLLabelMapVolumeNode | None:
        """The label map with the model's masks, or None."""
        return self.segmentation.GetNodeReference(ORIGINAL_ROLE)

    @property
    def grid(self) -> Grid:
        """The grid of the CT."""
        assert self.ct is not None
        return grid_of(self.ct)

    # --- reading ---

    def hu(self) -> np.ndarray:
        """Return the voxels of the CT (z, y, x): a view of the node's data."""
        assert self.ct is not None
        return slicer.util.arrayFromVolume(self.ct)

    def probability(self) -> BoxArray | None:
        """Return the probability of infection, uint8, 0 to 255 for 0 to 1; None if the scene does not have it."""
        return volume_voxels(self.probability_node, self.ct) if self.probability_node and self.ct else None

    def mask(self, segment_id: str) -> BoxArray | None:
        """Return the present mask of "right_lung", "left_lung" or "infection"; None if it is empty.

        The same object is returned until the mask changes.
        """
        key = self.state_of(segment_id)
        known, mask = self._masks.get(segment_id, (None, None))
        if known != key:
            mask = segment_voxels(self.segmentation, segment_id, self.ct) if self.ct else None
            self._masks[segment_id] = (key, mask)
        return mask

    def original(self, segment_id: str) -> BoxArray | None:
        """Return a mask as the model made it; None if the scene does not have it. The same object each time."""
        node = self.original_node
        if node is None or self.ct is None or node.GetImageData() is None:
            return None
        key = (node.GetImageData().GetMTime(), *self._grid_key())
        if self._originals_key != key:
            self._originals_key, self._originals = key, {}
        if segment_id not in self._originals:
            codes = volume_voxels(node, self.ct)
            self._originals[segment_id] = None if codes is None else _decoded(codes, segment_id)
        return self._originals[segment_id]

    # --- changing ---

    def save_state(self) -> None:
        """Save the masks for undo. Call this before a change, or before the first of a series of changes."""
        self.saves += 1
        self.editor.saveStateForUndo()

    def write(self, segment_id: str, mask: BoxArray, *, undo: bool = True) -> None:
        """Replace a mask. Its surface stays as it was: see `surfaces`.

        Args:
            segment_id: "right_lung", "left_lung" or "infection".
            mask: The new mask. It is empty outside the box.
            undo: Save the state before. False within a series of changes, such as the movement of a slider.
        """
        if undo:
            self.save_state()
        set_segment_voxels(self.segmentation, segment_id, mask, self.ct)
        self.surfaces.note_write()
        self.written = self.version
        self._written_states[segment_id] = self.state_of(segment_id)

    def was_written(self, segment_id: str) -> bool:
        """Return True if the present mask was written by `write`, and not drawn by hand."""
        return self._written_states.get(segment_id) == self.state_of(segment_id)

    def write_infection(self, mask: BoxArray, *, undo: bool = True) -> None:
        """Replace the infection mask. See `write`."""
        self.write(INFECTION, mask, undo=undo)

    # --- following ---

    def observe(self, callback: Callable[[], None]) -> None:
        """Call a function after each event that may have changed a mask. There may be several events for one change."""
        self._callbacks.append(callback)

    def close(self) -> None:
        """Stop to observe the segmentation."""
        for observer in self._observers:
            self._observed.RemoveObserver(observer)
        self._observers, self._callbacks = [], []
        self.surfaces.close()

    def state_of(self, segment_id: str) -> tuple[float, ...]:
        """Return what changes whenever a mask or its position on the CT changes. This is fast."""
        segment = self.segmentation.GetSegmentation().GetSegment(segment_id)
        labelmap = segment.GetRepresentation(BINARY_LABELMAP) if segment else None
        if self.ct is None or labelmap is None:
            return ()
        moved = self.segmentation.GetTransformNodeID() != self.ct.GetTransformNodeID()
        return (labelmap.GetMTime(), segment.GetLabelValue(), moved, *self._grid_key())

    def _grid_key(self) -> tuple[float, ...]:
        """Return what changes whenever the CT is moved or resized."""
        grid = self.grid
        return (*grid.shape, *grid.origin, *grid.direction, *grid.spacing)

    def _on_change(self, _caller: object, _event: str) -> None:
        if self.surfaces.changing:
            return
        self.version += 1
        for callback in self._callbacks:
            callback()


class Reviews:
    """Keeps one `Review` for each result, so that sections share what it has read."""

    def __init__(self) -> None:
        self._reviews: dict[str, Review] = {}

    def of(self, segmentation: slicer.vtkMRMLSegmentationNode) -> Review:
        """Return the review of a result."""
        review = self._reviews.get(segmentation.GetID())
        if review is None or review.segmentation is not segmentation:
            if review is not None:
                review.close()
            review = self._reviews[segmentation.GetID()] = Review(segmentation)
        return review

    def forget(self, segmentation: slicer.vtkMRMLSegmentationNode) -> None:
        """Forget a result, because it is about to be removed."""
        review = self._reviews.pop(segmentation.GetID(), None)
        if review is not None:
            review.close()

    def clear(self) -> None:
        """Forget all results, for example because the scene is being closed."""
        for review in self._reviews.values():
            review.close()
        self._reviews.clear()


def _decoded(codes: BoxArray, segment_id: str) -> BoxArray:
    """Return a mask in a label map of `original_codes`, in its bounding box."""
    if segment_id == INFECTION:
        mask = codes.array >= ORIGINAL_INFECTION
    else:
        mask = (codes.array & np.uint8(ORIGINAL_INFECTION - 1)) == ORIGINAL_LUNGS[segment_id]
    part = cropped(mask)
    z, y, x = (slice(a.start + b.start, a.stop + b.start) for a, b in zip(part.box, codes.box, strict=True))
    return BoxArray(part.array, (z, y, x))


def _add(
    segmentation: slicer.vtkMRMLSegmentationNode,
    ct: slicer.vtkMRMLScalarVolumeNode,
    voxels: BoxArray,
    class_name: str,
    role: str,
    name: str,
) -> slicer.vtkMRMLVolumeNode:
    node = make_volume(class_name, voxels, ct)
    node.SetAttribute(ROLE_ATTRIBUTE, name)
    node.SetName(slicer.mrmlScene.GenerateUniqueName(f"{segmentation.GetName()} {name}"))
    node = slicer.mrmlScene.AddNode(node)
    node.SetAndObserveTransformNodeID(ct.GetTransformNodeID())
    segmentation.SetNodeReferenceID(role, node.GetID())
    place_beside(node, ct)
    return node
