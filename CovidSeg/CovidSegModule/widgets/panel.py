"""The panel: a list of sections, kept in step with the scene."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import qt
import slicer
import vtk
from slicer.util import VTKObservationMixin

from ..parameters import Parameters
from ..scene.observers import NodeObservers
from ..scene.review import Review
from ..section_logics import SectionLogics
from .agreement import AgreementSection
from .comparison import ComparisonSection
from .correction import CorrectionSection
from .display import DisplaySection
from .export import ExportSection
from .fold import Fold
from .followup import FollowupSection
from .input import InputSection
from .install import InstallSection
from .lesions import LesionsSection
from .numbers import NumbersSection
from .readiness import ReadinessSection
from .report import ReportSection
from .results import ResultsSection
from .section import Section
from .shortcuts import Shortcut
from .threshold import ThresholdSection
from .worklist import WorklistSection

#: Shortest time between two calls of `Section.masks_changed`, in milliseconds.
MASKS_MILLISECONDS = 50
#: After this time in seconds, the next section follows a change of the masks in another turn of the event loop.
TURN_SECONDS = 0.03


def create_sections(panel: Panel, logic: SectionLogics) -> list[Section]:
    """Create the sections of the panel, from top to bottom. Add new sections here."""
    return [
        InstallSection(panel, logic.install),
        WorklistSection(panel, logic.worklist),
        InputSection(panel, logic.input),
        ReadinessSection(panel, logic.input.readiness, lambda: not logic.input.installer.missing()),
        ResultsSection(panel, logic.results),
        DisplaySection(panel, logic.display, panel.shortcuts),
        ThresholdSection(panel, logic.threshold, logic.numbers),
        LesionsSection(panel, logic.lesions),
        CorrectionSection(panel, logic.correction),
        ComparisonSection(panel, logic.comparison),
        NumbersSection(panel, logic.numbers),
        FollowupSection(panel, logic.followup),
        ReportSection(panel, logic.report),
        ExportSection(panel, logic.export),
        AgreementSection(panel, logic.agreement),
    ]


class Panel(VTKObservationMixin):
    """Shows the sections, and tells them what happens to the module and to the scene.

    Args:
        logic: The logic of the module.
        resource_path: Returns the path of a file in the module's folder Resources.
        is_entered: Returns True while the user has the module open.

    Attributes:
        parameters: The parameters that are shown, or None while the scene is being closed.
        sections: The sections, by name.
        folds: Headings of the sections that can be folded, by name.
        widget: The widget with everything in it.
        ui: All named widgets of all sections as attributes.
    """

    def __init__(self, logic: SectionLogics, resource_path: Callable[[str], str], is_entered: Callable[[], bool]):
        VTKObservationMixin.__init__(self)
        self._node_observers = NodeObservers()
        self.parameters: Parameters | None = None
        self.resource_path = resource_path
        self._logic = logic
        self._is_entered = is_entered
        self._review: Review | None = None
        self._states: dict[Any, tuple[Any, ...]] = {}
        self._is_held = self._missed_nodes = False
        self._masks_timer = qt.QTimer()
        #: Sections that have not followed the last change of the masks yet, and whether there was another change.
        self._following: list[Section] = []
        self._changed_again = False
        self.widget: Any = slicer.util.loadUI(resource_path("UI/CovidSeg.ui"))
        self.sections = {section.name: section for section in create_sections(self, logic)}
        layout = slicer.util.childWidgetVariables(self.widget).sectionsPanel.layout()
        self.folds = {name: Fold(section) for name, section in self.sections.items() if section.title}
        for name, section in self.sections.items():
            layout.addWidget(self.folds[name].widget if name in self.folds else section.widget)
        self.ui: Any = slicer.util.childWidgetVariables(self.widget)

    def setup(self) -> None:
        """Connect the sections and start to observe the scene."""
        for section in self.sections.values():
            section.setup()
        self._masks_timer.setSingleShot(True)
        self._masks_timer.timeout.connect(self._on_masks_timer)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self._on_scene_start_close)
        self.addObserver(scene, scene.EndCloseEvent, self._on_scene_end_close)
        for event in (scene.EndImportEvent, scene.NodeAddedEvent, scene.NodeRemovedEvent):
            self.addObserver(scene, event, self._on_nodes_changed)
        self._initialize_parameters()

    def cleanup(self) -> None:
        """Stop everything, because the module is being reloaded or the application quits."""
        self.removeObservers()  # first: sections remove nodes, and an update would start their timers again
        self._node_observers.clear()
        for section in self.sections.values():
            section.cleanup()
        self.parameters = None
        self._stop_following()
        self._logic.reviews.clear()

    def enter(self) -> None:
        """Handle that the user has opened the module."""
        self._initialize_parameters()
        for section in self.sections.values():
            section.enter()

    def exit(self) -> None:
        """Handle that the user has left the module."""
        for section in self.sections.values():
            section.exit()

    @contextmanager
    def held_updates(self) -> Iterator[None]:
        """Update no section within a `with` block, but once at its end if nodes were added or removed."""
        before, self._is_held = self._is_held, True
        try:
            yield
        finally:
            self._is_held = before
        if self._missed_nodes and not self._is_held:
            self._missed_nodes = False
            self._on_nodes_changed(None, None)

    def update(self, _caller: Any = None, _event: Any = None) -> None:
        """Make all sections show the current parameters."""
        if self._is_held:
            return
        self._follow_masks()
        self._follow_nodes()
        for section in self.sections.values():
            section.update()
        for fold in self.folds.values():
            fold.update()

    def shortcuts(self) -> list[Shortcut]:
        """Return the keys of all sections."""
        helpers = [getattr(section, "shortcuts", None) for section in self.sections.values()]
        return [shortcut for helper in helpers if helper for shortcut in helper.shortcuts]

    def _initialize_parameters(self) -> None:
        if self.parameters is None:
            self.parameters = self._logic.parameters()
            self._node_observers.add(self.parameters.node, vtk.vtkCommand.ModifiedEvent, self.update)
        for section in self.sections.values():
            section.initialize_parameters(self.parameters)
        self.update()

    def _on_scene_start_close(self, _caller: Any, _event: Any) -> None:
        for section in self.sections.values():
            section.scene_closing()
        self._stop_following()
        self._logic.reviews.clear()
        self._review = None
        if self.parameters is not None:
            self._node_observers.remove(self.parameters.node)
            self.parameters = None

    def _on_scene_end_close(self, _caller: Any, _event: Any) -> None:
        for section in self.sections.values():
            section.scene_closed()
        if self._is_entered():
            self._initialize_parameters()
        else:
            self.update()

    def _on_nodes_changed(self, _caller: Any, _event: Any) -> None:
        if slicer.mrmlScene.IsBatchProcessing() or self.parameters is None:
            return
        if self._is_held:
            self._missed_nodes = True
            return
        if self._is_entered():
            self._initialize_parameters()
        else:
            self.update()
        for section in self.sections.values():
            section.nodes_changed()

    def _follow_nodes(self) -> None:
        """Observe the selected nodes, because renaming a node or filling it changes no parameter."""
        nodes = [self.parameters.ct, self.parameters.result] if self.parameters else []
        states = {node: _state(node) for node in nodes if node is not None}
        for node in self._states.keys() - states.keys():
            self._node_observers.remove(node)
        for node in states.keys() - self._states.keys():
            self._node_observers.add(node, vtk.vtkCommand.ModifiedEvent, self._on_node_modified)
        self._states = states

    def _on_node_modified(self, node: Any, _event: Any) -> None:
        if self._states.get(node) != _state(node):
            self.update()

    def _follow_masks(self) -> None:
        """Observe the masks of the current result."""
        result = self.parameters.result if self.parameters else None
        review = self._logic.reviews.of(result) if result else None
        if review is not self._review:
            self._review = review
            if review:
                review.observe(lambda: self._on_masks_event(review))

    def _on_masks_event(self, review: Review) -> None:
        # One change sends several events, and a slider makes many changes.
        if review is not self._review:
            return
        if self._following:
            self._changed_again = True
        elif not self._masks_timer.active:
            self._masks_timer.start(MASKS_MILLISECONDS)

    def _on_masks_timer(self) -> None:
        """Let sections follow a change of the masks, in several turns of the event loop."""
        if not self.parameters or not self.parameters.result:
            self._stop_following()
            return
        if not self._following:
            self._following, self._changed_again = list(self.sections.values()), False
        end = time.perf_counter() + TURN_SECONDS
        try:
            while self._following and time.perf_counter() < end:
                self._following.pop(0).masks_changed()
        finally:  # if a section fails, the others must follow nevertheless: old numbers would look like new ones
            if self._following:
                self._masks_timer.start(0)
            elif self._changed_again:
                self._masks_timer.start(MASKS_MILLISECONDS)

    def _stop_following(self) -> None:
        self._masks_timer.stop()
        self._following, self._changed_again = [], False


def _state(node: Any) -> tuple[Any, ...]:
    """Return what sections show of a node."""
    image = node.GetImageData() if node.IsA("vtkMRMLVolumeNode") else None
    if image is None:
        return (node.GetName(),)
    return node.GetName(), image.GetMTime(), node.GetSpacing(), node.GetOrigin()
