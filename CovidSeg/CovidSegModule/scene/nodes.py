"""Add nodes to the scene, and remove them again if something fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import slicer


def add_node(class_name: str, name: str) -> slicer.vtkMRMLNode:
    """Add a node to the scene under a name that no other node has."""
    return slicer.mrmlScene.AddNewNodeByClass(class_name, slicer.mrmlScene.GenerateUniqueName(name))


def node_ids() -> set[str]:
    """Return the IDs of all nodes in the scene."""
    scene = slicer.mrmlScene
    return {scene.GetNthNode(index).GetID() for index in range(scene.GetNumberOfNodes())}


@contextmanager
def removed_on_failure() -> Iterator[None]:
    """Remove the nodes that the block has added to the scene if the block raises an exception."""
    before = node_ids()
    try:
        yield
    except BaseException:
        for node_id in node_ids() - before:
            slicer.mrmlScene.RemoveNode(slicer.mrmlScene.GetNodeByID(node_id))
        raise


def remove_with_helpers(node: slicer.vtkMRMLNode) -> None:
    """Remove a node with its display and storage nodes, which Slicer leaves in the scene."""
    helpers = []
    if node.IsA("vtkMRMLDisplayableNode"):
        helpers += [node.GetNthDisplayNode(index) for index in range(node.GetNumberOfDisplayNodes())]
    if node.IsA("vtkMRMLStorableNode"):
        helpers += [node.GetNthStorageNode(index) for index in range(node.GetNumberOfStorageNodes())]
    for part in [node, *helpers]:
        if part is not None and slicer.mrmlScene.IsNodePresent(part):
            slicer.mrmlScene.RemoveNode(part)


def place_beside(node: slicer.vtkMRMLNode, ct: slicer.vtkMRMLNode) -> None:
    """Move a node to the CT's parent in the subject hierarchy: its study, if the CT was loaded from DICOM."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(ct)
    parent = hierarchy.GetItemParent(item) if item else hierarchy.GetSceneItemID()
    hierarchy.CreateItem(parent, node)  # moves the item if the application has already created one
