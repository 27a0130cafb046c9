"""Logic of the section "input": the CT, the models, and runs."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Sequence

import slicer
from slicer.i18n import tr as _

from CovidSegLib.models import Model, find_model, installed
from CovidSegLib.recipe import INFECTION_LABEL

from .. import settings
from ..packages.installer import Installer, SlicerInstaller
from ..packages.plan import has_nvidia_driver
from ..process.run import Result, Run
from ..process.worker import ChildProcess, Worker
from ..scene import display, results, volumes
from .readiness import ReadinessLogic, duration

#: Licences that restrict the use of a model.
RESTRICTED = re.compile(r"\bNC\b|non-?commercial|no commercial|not for commercial|research", re.IGNORECASE)


def models_of_infection() -> list[Model]:
    """Return the installed models that find infection. Models of lung tumours are for the command line."""
    return [model for model in installed() if model.finding == INFECTION_LABEL]


class InputLogic:
    """List the models and segment CTs.

    Args:
        installer: Installs the Python packages of the child process; by default into Slicer's Python.
        list_models: Returns the models to choose from; by default CovidSegLib's that find infection.
        program: The program that segments; by default CovidSegLib in Slicer's Python.
        create_worker: Creates what runs the program; by default a child process.
        readiness: Checks CTs and devices.
    """

    def __init__(
        self,
        installer: Installer | None = None,
        list_models: Callable[[], Sequence[Model]] = models_of_infection,
        program: list[str] | None = None,
        create_worker: Callable[[], Worker] = ChildProcess,
        readiness: ReadinessLogic | None = None,
    ):
        self.readiness = readiness or ReadinessLogic()
        self.installer = installer or SlicerInstaller(slicer.app.processEvents, self.needs_torch)
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

    def switch_to(self, ct: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLSegmentationNode | None:
        """Show a CT that the user has selected in the slice views, and return its result, which is shown too.

        The results of other CTs are hidden, because they would be drawn over it.
        """
        result = results.result_to_show(ct)
        results.hide_other_cts(ct)
        if result is not None and result.GetDisplayNode():
            result.GetDisplayNode().SetVisibility(True)
        if slicer.app.layoutManager() is not None:
            slicer.util.setSliceViewerLayers(background=ct, fit=True)
        return result

    def models(self) -> list[Model]:
        """Return the installed models, the default model first; empty if they cannot be read."""
        try:
            return list(self._list_models())
        except (OSError, ValueError, KeyError):
            logging.exception("CovidSeg: cannot read the installed models")
            return []

    def needs_torch(self) -> bool:
        """Return whether PyTorch is needed: for a graphics card, or for a model that runs in nothing else."""
        return has_nvidia_driver() or any(model.needs_torch for model in self.models())

    def model_card(self, name: str) -> str:
        """Return the card of a model as Markdown.

        Raises:
            InputError: The model is no longer installed.
        """
        # Imported here because it loads scipy.
        from CovidSegLib.models.description import describe

        return describe(find_model(name))

    def licence_question(self, name: str) -> str:
        """Return the licence to agree to before a model is used for the first time; empty if there is none.

        Only licences that restrict the use are asked for, once for each version of a model.
        """
        model = next((model for model in self.models() if model.name == name), None)
        licence = str(getattr(model, "card", {}).get("licence", ""))
        if model is None or not RESTRICTED.search(licence) or settings.read(_licence_key(model)):
            return ""
        return _(
            'The model "{title}" may be used only under its licence:\n\n{licence}\n\n'
            "CovidSeg is research software and not for diagnosis. Do you agree to use the model under this licence?"
        ).format(title=model.title, licence=licence.removeprefix("Weights: "))

    def accept_licence(self, name: str) -> None:
        """Remember that the user has agreed to the licence of a model in its present version."""
        for model in self.models():
            if model.name == name:
                settings.write(_licence_key(model), "1")

    def remember_time(self, ct: slicer.vtkMRMLScalarVolumeNode, model: str, device: str, seconds: float) -> None:
        """Keep how long a run took, to say how long the next one will take."""
        self.readiness.remember_time(model, device, volumes.slices(ct), seconds)

    def expected_time(self, ct: slicer.vtkMRMLScalarVolumeNode, model: str, device: str) -> str:
        """Return how long a run will take, such as "about 40 s"; empty if that is unknown."""
        seconds = self.readiness.expected_seconds(model, device, volumes.slices(ct))
        return "" if seconds is None else duration(seconds)

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


def _licence_key(model: Model) -> str:
    return f"AcceptedLicence/{model.name}/{model.card.get('sha256')}"
