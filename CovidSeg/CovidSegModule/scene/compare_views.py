"""The current CT and the registered earlier CT side by side, in slice views that move together."""

from __future__ import annotations

from typing import Any

import slicer

from .follow_up_nodes import PRIOR_CHANGES_ROLE, PRIOR_RESULT_ROLE, REGISTERED_ROLE, RESULT_ROLE
from .segmentations import INFECTION

#: Identifier of the layout. Slicer's own and those of its extensions are smaller or far larger.
LAYOUT = 58_145
#: Attribute of the layout node with the layout before this one. It is stored in scenes.
BEFORE_ATTRIBUTE = "CovidSeg.LayoutBefore"
#: Attribute of a result that is not shown as usual, because of a comparison. It is stored in scenes.
HIDDEN_ATTRIBUTE = "CovidSeg.InfectionHidden"
#: Views by name: of the current CT, and of the earlier CT.
CURRENT_VIEWS, PRIOR_VIEWS = ("Red", "Green"), ("CovidSegPriorAxial", "CovidSegPriorCoronal")
_STANDARD_VIEWS = ("Red", "Green", "Yellow")
_VIEW = """<item><view class="vtkMRMLSliceNode" singletontag="{name}">
 <property name="orientation" action="default">{orientation}</property>
 <property name="viewlabel" action="default">{label}</property>
 <property name="viewcolor" action="default">{color}</property></view></item>"""
_ROW = '<item><layout type="horizontal">{}</layout></item>'


def register_layout() -> None:
    """Add the layout to the layout node, if there is one. Do this before a scene with the layout is loaded."""
    node = _layout_node()
    if node is not None and not node.IsLayoutDescription(LAYOUT):
        node.AddLayoutDescription(LAYOUT, description())


def description() -> str:
    """Return the description of the layout: axial views above, coronal ones below; the current CT on the left."""
    rows = (
        (("Red", "Axial", "R", "#F34A33"), ("CovidSegPriorAxial", "Axial", "E", "#8E7CC3")),
        (("Green", "Coronal", "G", "#6EB04B"), ("CovidSegPriorCoronal", "Coronal", "F", "#674EA7")),
    )
    names = ("name", "orientation", "label", "color")
    texts = [_ROW.format("".join(_VIEW.format(**dict(zip(names, view, strict=True))) for view in row)) for row in rows]
    return f'<layout type="vertical">{"".join(texts)}</layout>'


def is_side_by_side(comparison: slicer.vtkMRMLSegmentationNode | None = None) -> bool:
    """Return True if the layout is shown, with the earlier CT of a comparison if one is given."""
    node = _layout_node()
    if node is None or node.GetViewArrangement() != LAYOUT:
        return False
    if comparison is None:
        return True
    composites = [slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceCompositeNode{name}") for name in PRIOR_VIEWS]
    registered = comparison.GetNodeReferenceID(REGISTERED_ROLE)
    return all(composite is not None and composite.GetBackgroundVolumeID() == registered for composite in composites)


def show_side_by_side(comparison: slicer.vtkMRMLSegmentationNode, ct: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Show both CTs side by side, with linked views, in the same window, with the lesions in colours."""
    node = _layout_node()
    register_layout()
    if node is not None and node.GetViewArrangement() != LAYOUT:
        node.SetAttribute(BEFORE_ATTRIBUTE, str(node.GetViewArrangement()))
        node.SetViewArrangement(LAYOUT)
    show_colours(comparison, True)
    registered = comparison.GetNodeReference(REGISTERED_ROLE)
    if registered is not None and registered.GetDisplayNode() and ct.GetDisplayNode():
        window = ct.GetDisplayNode()
        registered.GetDisplayNode().SetAutoWindowLevel(False)
        registered.GetDisplayNode().SetWindowLevel(window.GetWindow(), window.GetLevel())
    for names, volume in ((CURRENT_VIEWS, ct), (PRIOR_VIEWS, registered)):
        for name in names:
            composite = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceCompositeNode{name}")
            if composite is not None:
                composite.SetLinkedControl(False)  # otherwise the volume would be shown in all views
                composite.SetBackgroundVolumeID(volume.GetID() if volume is not None else None)
    for name in (*CURRENT_VIEWS, *PRIOR_VIEWS):
        composite = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceCompositeNode{name}")
        if composite is not None:
            composite.SetLinkedControl(True)
            composite.SetHotLinkedControl(True)
    for name, prior in zip(CURRENT_VIEWS, PRIOR_VIEWS, strict=True):
        _align(name, prior)


def hide_side_by_side(comparison: slicer.vtkMRMLSegmentationNode | None) -> None:
    """Go back to the layout before, and hide the colours of a comparison."""
    node = _layout_node()
    if node is not None and node.GetViewArrangement() == LAYOUT:
        for name in CURRENT_VIEWS:
            composite = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceCompositeNode{name}")
            if composite is not None:
                composite.SetLinkedControl(False)
                composite.SetHotLinkedControl(False)
        before = node.GetAttribute(BEFORE_ATTRIBUTE) or ""
        node.SetViewArrangement(int(before) if before.isdigit() else node.SlicerLayoutFourUpView)
    if comparison is not None:
        show_colours(comparison, False)


def show_colours(comparison: slicer.vtkMRMLSegmentationNode, visible: bool) -> None:
    """Show or hide the lesions in the colours of their changes: each CT's in its own views.

    The infection of the result is hidden meanwhile, because its colour would cover the others. The result of the
    earlier CT stays hidden: it lies on that CT, not on the registered one.
    """
    prior = [f"vtkMRMLSliceNode{name}" for name in PRIOR_VIEWS]
    others = {f"vtkMRMLSliceNode{name}" for name in _STANDARD_VIEWS}
    for class_name in ("vtkMRMLSliceNode", "vtkMRMLViewNode"):
        others |= {node.GetID() for node in slicer.util.getNodesByClass(class_name)}
    changes = comparison.GetNodeReference(PRIOR_CHANGES_ROLE)
    result = comparison.GetNodeReference(RESULT_ROLE)
    for node, views in ((comparison, sorted(others - set(prior))), (changes, prior)):
        display = node.GetDisplayNode() if node is not None else None
        if display is not None:
            _restrict(display, views)
            display.SetVisibility(visible)
    prior_result = comparison.GetNodeReference(PRIOR_RESULT_ROLE)
    if visible and prior_result is not None and prior_result.GetDisplayNode():
        prior_result.GetDisplayNode().SetVisibility(False)
    display = result.GetDisplayNode() if result is not None else None
    if display is not None:
        apart = visible or is_side_by_side()
        result.SetAttribute(HIDDEN_ATTRIBUTE, "1" if apart else None)
        _restrict(display, sorted(others - set(prior)) if apart else [])
        _show_infection(display, not visible)


def restore_infection(result: slicer.vtkMRMLSegmentationNode, shown: bool) -> None:
    """Show the infection of a result again if the colours that took its place were hidden or deleted.

    Args:
        result: The result.
        shown: Whether colours are shown in place of its infection.
    """
    display = result.GetDisplayNode()
    if shown or display is None or not result.GetAttribute(HIDDEN_ATTRIBUTE):
        return
    _show_infection(display, True)
    if not is_side_by_side():
        result.SetAttribute(HIDDEN_ATTRIBUTE, None)
        _restrict(display, [])


def colours_are_shown(comparison: slicer.vtkMRMLSegmentationNode) -> bool:
    """Return True if the lesions are shown in the colours of their changes."""
    display = comparison.GetDisplayNode()
    return bool(display and display.GetVisibility())


def _show_infection(display: Any, visible: bool) -> None:
    display.SetSegmentVisibility2DFill(INFECTION, visible)
    display.SetSegmentVisibility2DOutline(INFECTION, visible)


def _restrict(display: Any, views: list[str]) -> None:
    """Show something in these views only; in all views if there are none."""
    display.RemoveAllViewNodeIDs()
    for view in views:
        display.AddViewNodeID(view)


def _align(name: str, other: str) -> None:
    """Show in another slice view what a slice view shows."""
    node, target = (slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceNode{view}") for view in (name, other))
    if node is not None and target is not None:
        target.GetSliceToRAS().DeepCopy(node.GetSliceToRAS())
        target.SetFieldOfView(*node.GetFieldOfView())
        target.UpdateMatrices()


def _layout_node() -> Any:
    return slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
