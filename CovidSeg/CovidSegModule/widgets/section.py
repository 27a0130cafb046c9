"""What all sections of the panel have in common."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol

import slicer

from ..parameters import Parameters


class SectionHost(Protocol):
    """The panel, as seen by its sections."""

    @property
    def parameters(self) -> Parameters | None:
        """The module's parameters, or None while the scene is being closed."""

    def resource_path(self, name: str) -> str:
        """Return the path of a file in the module's folder Resources."""

    def update(self) -> None:
        """Update all sections. Parameters that change in the scene do this by themselves."""

    def held_updates(self) -> AbstractContextManager[None]:
        """Update no section within a `with` block, in which many nodes are added or removed, but once at its end."""


class Section:
    """One section of the panel: the widgets of `Resources/UI/<name>.ui` and the code that connects them.

    A subclass sets `name` and overrides the hooks that it needs. The hooks do nothing by default. Sections do not call
    each other. They read and write the module's parameters, and every change of a parameter updates all sections.

    Args:
        panel: The panel that the section is part of.

    Attributes:
        name: Name of the section's `.ui` file, without its ending.
        title: Heading with which the section can be folded; empty for a section that is always open.
        panel: The panel.
        widget: The top-level widget of the `.ui` file, a qMRMLWidget.
        ui: All named widgets of the `.ui` file as attributes.
    """

    name: ClassVar[str]
    title: ClassVar[str] = ""

    def __init__(self, panel: SectionHost):
        self.panel = panel
        self.widget: Any = slicer.util.loadUI(panel.resource_path(f"UI/{self.name}.ui"))
        self.ui: Any = slicer.util.childWidgetVariables(self.widget)
        self.widget.setMRMLScene(slicer.mrmlScene)

    @property
    def parameters(self) -> Parameters | None:
        """The module's parameters, or None while the scene is being closed."""
        return self.panel.parameters

    def setup(self) -> None:
        """Fill the widgets and connect their signals. Called once, when the panel is complete."""

    def initialize_parameters(self, parameters: Parameters) -> None:
        """Choose defaults for parameters that are not set, such as the CT.

        Called when the module is opened, and when nodes are added, removed or loaded while it is open.
        """

    def update(self) -> None:
        """Show the current parameters. Called after every change, also while `parameters` is None."""

    def enter(self) -> None:
        """Handle that the user has opened the module, for example install keyboard shortcuts."""

    def exit(self) -> None:
        """Handle that the user has left the module."""

    def scene_closing(self) -> None:
        """Stop everything that uses nodes. The scene still holds its nodes, and `parameters` is still set."""

    def scene_closed(self) -> None:
        """Forget what was shown about the previous scene. The scene is empty, and `parameters` is None."""

    def nodes_changed(self) -> None:
        """Handle that nodes were added to the scene or removed from it. The panel is updated before."""

    def masks_changed(self) -> None:
        """Handle that masks of the current result were changed, by whatever. Called once after a series of changes."""

    def cleanup(self) -> None:
        """Stop everything, because the module is being reloaded or the application quits."""
