"""Logic of the section "input": the CT, the models, and runs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

import slicer

from CovidSegLib.models import Model, find_model, installed

from ..packages.installer import Installer, SlicerInstaller
from ..process.run import Result, Run
from ..process.worker import ChildProcess, Worker
from ..scene import display, volumes


class InputLogic:
    """List the models and segment CTs.

    Args:
        installer: Installs the Python packages of the child process; by default into Slicer's Python.
        list_models: Returns the installed models; by default CovidSegLib's.
        program: The program that segments; by default CovidSegLib in Slicer's Python.
        create_worker: Creates what runs the program; by default a child process.
    """

    def __init__(
        self,
        installer: Installer | None = None,
        list_models: Callable[[], Sequence[Model]] = installed,
        program: list[str] | None = None,
        create_worker: Callable[[], Worker] = ChildProcess,
    ):
        self.installer = installer or SlicerInstaller(idle=slicer.app.processEvents)
        self.program = program
        self._list_models = list_models
        self.create_worker = create_worker

    def likely_ct(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """Return the volume that the user most likely wants to segment, or None."""
        return volumes.likely_ct()

    def result_volumes(self) -> list[slicer.vtkMRMLScalarVolumeNode]:
        """Return the volumes that are part of a result, so that they are not offered as CTs."""
        return volumes.result_volumes()

    def show_ct(self, ct: slicer.vtkMRMLScalarVolumeNode) -> None:
        """Show a CT in the lung window when it is selected for the first time."""
        display.set_lung_window_once(ct)

    def models(self) -> list[Model]:
        """Return the installed models, the default model first; empty if they cannot be read."""
        try:
            return list(self._list_models())
        except (OSError, ValueError, KeyError):
            logging.exception("CovidSeg: cannot read the installed models")
            return []

    def model_card(self, name: str) -> str:
        """Return the card of a model as Markdown.

        Raises:
            InputError: The model is no longer installed.
        """
        # Imported here because it loads scipy.
        from CovidSegLib.models.description import describe

        return describe(find_model(name))

    def start(self, ct: slicer.vtkMRMLScalarVolumeNode, model: str = "", device: str = "auto") -> Run:
        """Start to segment a CT. Call the run's `poll` regularly until it has `finished`.

        Args:
            ct: The CT.
            model: Name of an installed model; empty for the default model.
            device: "auto", "cuda" or "cpu".
        """
        run = Run(ct, model or "", device, self.program, self.create_worker())
        run.start()
        return run

    def segment(self, ct: slicer.vtkMRMLScalarVolumeNode, model: str = "", device: str = "auto") -> Result:
        """Segment a CT and wait for the result.

        Args:
            ct: The CT.
            model: Name of an installed model; empty for the default model.
            device: "auto", "cuda" or "cpu".

        Returns:
            The new nodes: `segmentation` and `table`.

        Raises:
            RuntimeError: The CT could not be segmented. The message is for the user.
        """
        run = self.start(ct, model, device)
        try:
            while not run.finished:
                run.poll()
                slicer.app.processEvents()
                time.sleep(0.05)
        finally:
            run.cancel()  # ends the process after any exception; does nothing if the run has finished
        if run.result is None:
            raise RuntimeError(run.error)
        for warning in run.warnings:
            logging.warning("CovidSeg: %s", warning)
        return run.result
