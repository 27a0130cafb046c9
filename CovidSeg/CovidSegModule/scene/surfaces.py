"""The closed surfaces of a result: made anew in short steps after the masks have changed.

Slicer makes a surface at once, which takes a second or more for large lesions in a fine CT. It also makes the surface
of a segment anew with each stroke of a tool, if the segment has one. While tools are open, the surfaces are therefore
taken off the segments and shown as models.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

import slicer
import vtk

from CovidSegLib.volume import Grid

from .result_files import in_ras
from .segmentations import INFECTION, LUNGS
from .voxels import CLOSED_SURFACE, BoxArray

#: Attribute of a model node that shows the surface of a segment: the ID of the segment.
MODEL_ATTRIBUTE = "CovidSeg.Surface"
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
        off: True while the surfaces are models.
        changing: True while segments receive or lose surfaces, so that this does not count as a change of masks.
    """

    def __init__(
        self,
        segmentation: slicer.vtkMRMLSegmentationNode,
        mask: Callable[[str], BoxArray | None],
        grid: Callable[[], Grid],
        state: Callable[[str], object],
    ):
        self.off = self.changing = False
        self._node = segmentation
        self._mask, self._grid, self._state = mask, grid, state
        self._models: dict[str, slicer.vtkMRMLModelNode] = {}
        #: The masks that the surfaces show.
        self._made = {name: state(name) for name in SEGMENTS}

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

    def update(self) -> None:
        """Make surfaces that are due at once."""
        for _ in self.steps():
            pass

    def take_off(self) -> None:
        """Show the surfaces as models, which are neither listed nor saved, and remove them from the segments.

        Call this again after an undo, which brings surfaces back to segments.
        """
        contents = self._node.GetSegmentation()
        for name in SEGMENTS:
            segment = contents.GetSegment(name)
            surface = segment.GetRepresentation(CLOSED_SURFACE) if segment else None
            if surface is not None:
                if name not in self._models:
                    self._models[name] = self._add_model(name, surface)
                self._replace(segment, None)
        self.off = bool(self._models)
        self.follow_display()

    def put_on(self) -> None:
        """Give the surfaces back to the segments, and remove the models."""
        if not self.off:
            return
        self.off = False
        surfaces = {name: model.GetPolyData() for name, model in self._models.items()}
        self._remove_models()
        for name, surface in surfaces.items():
            self._set(name, surface)

    def follow_display(self) -> None:
        """Show or hide the models as the segmentation is shown or hidden in 3D."""
        display = self._node.GetDisplayNode()
        for name, model in self._models.items():
            visible = display.GetVisibility() and display.GetVisibility3D() and display.GetSegmentVisibility3D(name)
            model.GetDisplayNode().SetVisibility(bool(visible))

    def close(self) -> None:
        """Remove the models."""
        self.off = False
        self._remove_models()

    def _is_due(self, name: str) -> bool:
        contents = self._node.GetSegmentation()
        shown = name in self._models if self.off else contents.ContainsRepresentation(CLOSED_SURFACE)
        return shown and self._made[name] != self._state(name)

    def _set(self, name: str, surface: vtk.vtkPolyData) -> None:
        if self.off:
            self._models[name].SetAndObservePolyData(surface)
            return
        segment = self._node.GetSegmentation().GetSegment(name)
        if segment is not None:
            self._replace(segment, surface)

    def _replace(self, segment: slicer.vtkSegment, surface: vtk.vtkPolyData | None) -> None:
        self.changing = True
        segment.RemoveRepresentation(CLOSED_SURFACE)
        if surface is not None:
            segment.AddRepresentation(CLOSED_SURFACE, surface)
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
        for model in self._models.values():
            display = model.GetDisplayNode()
            slicer.mrmlScene.RemoveNode(model)
            if display is not None:
                slicer.mrmlScene.RemoveNode(display)
        self._models = {}


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
