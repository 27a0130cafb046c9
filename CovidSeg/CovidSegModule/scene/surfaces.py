"""The closed surfaces of a result: made anew in short steps after the masks have changed.

Slicer makes a surface at once, which takes a second or more for large lesions in a fine CT. It also makes the surface
of a segment anew with each stroke of a tool, if the segment has one. While tools are open, the surfaces are therefore
taken off the segments and shown as models. All of them, because Slicer shows no surface unless each segment has one.

After an undo, surfaces are replaced in place only: giving a segment a surface or removing one would make redo
impossible.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import slicer
import vtk

from CovidSegLib.volume import Grid

from .result_files import in_ras
from .segmentations import INFECTION, LUNGS
from .voxels import BINARY_LABELMAP, CLOSED_SURFACE, BoxArray

#: Attribute of a model node that shows the surface of a segment: the ID of the segment.
MODEL_ATTRIBUTE = "CovidSeg.Surface"
#: Attribute of a segmentation while surfaces are models, which are not saved. It is stored in scenes.
OFF_ATTRIBUTE = "CovidSeg.SurfacesOff"
#: Voxels are averaged in blocks of at most this size: small masks, and those whose box has more voxels.
FINE_MM, COARSE_MM, MOST_FINE_VOXELS = 1.2, 2.0, 4_000_000
SEGMENTS = (INFECTION, *LUNGS)


class Surfaces:
    """Keeps the surfaces of a result in step with its masks. Get it from `Review.surfaces`.

    Args:
        segmentation: The result.
        mask: Returns the present mask of a segment.
        grid: Returns the grid of the CT.
        state: Returns what changes whenever the mask of a segment changes.

    Attributes:
        undone: True if the last change of the masks was an undo or a redo.
        changing: True while segments receive or lose surfaces, so that this does not count as a change of masks.
    """

    def __init__(
        self,
        segmentation: slicer.vtkMRMLSegmentationNode,
        mask: Callable[[str], BoxArray | None],
        grid: Callable[[], Grid],
        state: Callable[[str], object],
    ):
        self.changing = self.undone = False
        self._node = segmentation
        self._mask, self._grid, self._state = mask, grid, state
        self._models: dict[str, slicer.vtkMRMLModelNode] = {}
        #: The masks that the surfaces show.
        self._made: dict[str, object] = {name: state(name) for name in SEGMENTS}
        self._seen = self._present()

    @property
    def due(self) -> bool:
        """True if a surface does not show the present mask."""
        return any(self._is_due(name) for name in SEGMENTS)

    def steps(self) -> Iterator[None]:
        """Make surfaces that are due, in steps of some hundredths of a second."""
        for name in SEGMENTS:
            if not self._is_due(name):
                continue
            state, mask = self._state(name), self._mask(name)
            yield
            surface = vtk.vtkPolyData()
            if mask is not None:
                surface = yield from _surface_in_steps(mask, self._grid())
            self._made[name] = state
            self._set(name, surface)

    def forget(self) -> None:
        """Make all surfaces anew with the next `steps`, because the segments were given empty ones."""
        self._made = dict.fromkeys(SEGMENTS)

    def update(self) -> None:
        """Make surfaces that are due at once."""
        for _ in self.steps():
            pass

    @property
    def off(self) -> bool:
        """True if surfaces are models."""
        return bool(self._models)

    def note_change(self) -> None:
        """Find out whether a change of the masks was an undo. Call this after each change.

        An undo gives segments other labelmaps, and a stroke of a tool changes them in place.
        """
        seen, self._seen = self._seen, self._present()
        if any(now is not before for (now, _), (before, _) in zip(self._seen, seen, strict=True)):
            self.undone = True
        elif any(now != before for (_, now), (_, before) in zip(self._seen, seen, strict=True)):
            self.undone = False
        self.follow_display()

    def note_write(self) -> None:
        """Note that CovidSeg has written a mask. Call this after each write."""
        self._seen = self._present()
        self.undone = False

    def take_off(self) -> None:
        """Show surfaces as models, which are neither listed nor saved, and remove them from the segments.

        Nothing happens after an undo.
        """
        if self.changing or self.undone:
            return
        with self._change():
            contents = self._node.GetSegmentation()
            for name in SEGMENTS:
                segment = contents.GetSegment(name)
                surface = segment.GetRepresentation(CLOSED_SURFACE) if segment else None
                if surface is not None:
                    if name not in self._models:
                        self._models[name] = self._add_model(name, surface)
                    segment.RemoveRepresentation(CLOSED_SURFACE)
            self._node.SetAttribute(OFF_ATTRIBUTE, "1" if self._models else None)
        self.follow_display()

    def restore(self) -> None:
        """Make the surfaces of a scene that was saved while surfaces were models."""
        if self._node.GetAttribute(OFF_ATTRIBUTE) and not self._models:
            with self._change():
                self._node.SetAttribute(OFF_ATTRIBUTE, None)
                self._node.CreateClosedSurfaceRepresentation()

    def put_on(self, *, force: bool = False) -> None:
        """Give the surfaces back to the segments, and remove the models. Nothing happens after an undo.

        Args:
            force: Do so even after an undo, because the result is put away.
        """
        if self.changing or not self._models or (self.undone and not force):
            return
        surfaces = {name: model.GetPolyData() for name, model in self._models.items()}
        with self._change():
            self._remove_models()
            self._node.SetAttribute(OFF_ATTRIBUTE, None)
        contents = self._node.GetSegmentation()
        with self._change():
            for name, surface in surfaces.items():
                if contents.GetSegment(name) is not None:
                    contents.GetSegment(name).AddRepresentation(CLOSED_SURFACE, surface)

    def follow_display(self) -> None:
        """Show or hide the models as the segmentation is shown or hidden in 3D."""
        display = self._node.GetDisplayNode()
        for name, model in self._models.items():
            visible = display.GetVisibility() and display.GetVisibility3D() and display.GetSegmentVisibility3D(name)
            visible = visible and self._surface(name) is None  # an undo may have brought the surface back
            model.GetDisplayNode().SetVisibility(bool(visible))

    def close(self) -> None:
        """Remove the models."""
        with self._change():
            self._remove_models()

    def _is_due(self, name: str) -> bool:
        shown = self._surface(name) is not None or name in self._models
        return shown and self._made[name] != self._state(name)

    def _surface(self, name: str) -> vtk.vtkPolyData | None:
        segment = self._node.GetSegmentation().GetSegment(name)
        return segment.GetRepresentation(CLOSED_SURFACE) if segment else None

    def _present(self) -> list[tuple[Any, object]]:
        """Return the labelmap of each segment, and what changes with its mask."""
        contents = self._node.GetSegmentation()
        segments = ((name, contents.GetSegment(name)) for name in SEGMENTS)
        return [
            (segment and segment.GetRepresentation(BINARY_LABELMAP), self._state(name)) for name, segment in segments
        ]

    def _set(self, name: str, surface: vtk.vtkPolyData) -> None:
        if name in self._models:
            self._models[name].SetAndObservePolyData(surface)
        present = self._surface(name)
        if present is not None:
            present.ShallowCopy(surface)
            display = self._node.GetDisplayNode()
            if display is not None:
                display.Modified()  # views follow this

    @contextmanager
    def _change(self) -> Iterator[None]:
        """Mark a change of surfaces. Nodes that are added or removed update the panel, which calls this class again."""
        self.changing = True
        try:
            yield
        finally:
            self.changing = False

    def _add_model(self, name: str, surface: vtk.vtkPolyData) -> slicer.vtkMRMLModelNode:
        model = slicer.mrmlScene.CreateNodeByClass("vtkMRMLModelNode")
        model.UnRegister(None)
        segment, display = self._node.GetSegmentation().GetSegment(name), self._node.GetDisplayNode()
        model.SetName(segment.GetName())
        model.SetAttribute(MODEL_ATTRIBUTE, name)
        model.SetHideFromEditors(True)
        model.SetSaveWithScene(False)
        model.SetAndObservePolyData(surface)
        model = slicer.mrmlScene.AddNode(model)
        model.SetAndObserveTransformNodeID(self._node.GetTransformNodeID())
        model.CreateDefaultDisplayNodes()
        look = model.GetDisplayNode()
        look.SetSaveWithScene(False)
        look.SetColor(*segment.GetColor())
        look.SetOpacity(display.GetSegmentOpacity3D(name) * display.GetOpacity3D())
        look.SetVisibility2D(False)
        return model

    def _remove_models(self) -> None:
        for name in list(self._models):
            model = self._models.pop(name)
            display = model.GetDisplayNode()
            slicer.mrmlScene.RemoveNode(model)
            if display is not None:
                slicer.mrmlScene.RemoveNode(display)


def _surface_in_steps(mask: BoxArray, grid: Grid) -> Generator[None, None, vtk.vtkPolyData]:
    """Return the surface of a mask in the coordinates of the CT, RAS, without its parent transforms."""
    from CovidSegLib.surfaces import closed_surface_in_steps  # loads scipy

    yield
    start = [part.start for part in reversed(mask.box)]
    z, y, x = mask.array.shape
    origin = (grid.affine_lps @ [*start, 1.0])[:3]
    part = Grid((z, y, x), grid.spacing, tuple(origin.tolist()), grid.direction)
    block = FINE_MM if mask.array.size <= MOST_FINE_VOXELS else COARSE_MM
    surface = yield from closed_surface_in_steps(mask.array, part, block, decimate=False)
    return vtk.vtkPolyData() if surface is None else in_ras(surface)
