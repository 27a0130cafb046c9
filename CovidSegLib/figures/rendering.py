"""Off-screen rendering of surfaces in a child process.

On a machine without working OpenGL, opening a render window can crash the process. In a child process the crash costs
no more than the picture.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from vtkmodules.vtkCommonDataModel import vtkPolyData

from ..programs import absolute_folders
from . import palette


class View(NamedTuple):
    """A camera position.

    Attributes:
        camera: Direction from the surfaces to the camera, in LPS.
        left: Side of the patient on the left of the picture.
        right: Side of the patient on the right of the picture.
    """

    camera: tuple[float, float, float]
    left: str
    right: str


VIEWS = {
    "From the front": View((0.0, -1.0, 0.0), "R", "L"),
    "From the back": View((0.0, 1.0, 0.0), "L", "R"),
    "From the right": View((-1.0, 0.0, 0.0), "P", "A"),
    "From the left": View((1.0, 0.0, 0.0), "A", "P"),
}
#: Colours by name of the surface.
COLOURS = {
    "lungs": palette.LUNGS,
    "right_lung": palette.RIGHT_LUNG,
    "left_lung": palette.LEFT_LUNG,
    "infection": palette.INFECTION,
}
#: Environment variable by which VTK chooses the class of render window.
WINDOW_VARIABLE = "VTK_DEFAULT_OPENGL_WINDOW"
#: File that the child process writes.
PICTURES_FILE = "pictures.npy"


class Rendering:
    """Renders surfaces in a child process while the caller continues. Call `close` when done, also after an error.

    Args:
        surfaces: Closed surfaces in LPS mm by name: "infection", and "lungs" or "right_lung" and "left_lung".
        size: Width and height of each picture in pixels.
    """

    def __init__(self, surfaces: Mapping[str, vtkPolyData], size: tuple[int, int]) -> None:
        from vtkmodules.vtkIOXML import vtkXMLPolyDataWriter

        self._size = size
        self._folder = tempfile.TemporaryDirectory(prefix="covidseg-", ignore_cleanup_errors=True)
        for name, surface in surfaces.items():
            if name in COLOURS and surface.GetNumberOfCells():
                writer = vtkXMLPolyDataWriter()
                writer.SetFileName(str(Path(self._folder.name) / f"{name}.vtp"))
                writer.SetInputData(surface)
                writer.SetCompressorTypeToNone()
                writer.SetEncodeAppendedData(False)
                writer.Write()
        self._window_classes = _window_classes()
        self._child = self._start()

    def pictures(self, timeout: float = 60.0) -> dict[str, np.ndarray] | None:
        """Wait for the pictures, and close.

        Args:
            timeout: Seconds to wait.

        Returns:
            uint8 (height, width, 3) by the names of `VIEWS`; None if this machine cannot render, or not in time.
        """
        deadline = time.monotonic() + timeout
        result = Path(self._folder.name) / PICTURES_FILE
        try:
            while self._child:
                try:
                    if self._child.wait(max(deadline - time.monotonic(), 0)) == 0 and result.exists():
                        return dict(zip(VIEWS, np.load(result), strict=True))
                except subprocess.TimeoutExpired:
                    return None
                self._child = self._start()
            return None
        finally:
            self.close()

    def close(self) -> None:
        """Stop the child process if it is running, and remove its files."""
        if self._child and self._child.poll() is None:
            self._child.kill()
            self._child.wait()
        self._child = None
        self._folder.cleanup()

    def _start(self) -> subprocess.Popen[bytes] | None:
        """Start a child process with the next class of render window. Return None when all have been tried."""
        if not self._window_classes:
            return None
        window = self._window_classes.pop(0)
        root = str(Path(__file__).resolve().parents[2])
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([root, *absolute_folders(os.environ.get("PYTHONPATH", ""))]),
        }
        if window:
            environment[WINDOW_VARIABLE] = window
        try:
            return subprocess.Popen(
                render_command(self._size),
                env=environment,
                cwd=self._folder.name,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            return None


def render_command(size: tuple[int, int]) -> list[str]:
    """Return the command that renders the surfaces in its working folder, where it does not look for modules."""
    return [sys.executable, "-P", "-m", "CovidSegLib.figures.rendering", *map(str, size)]


def _window_classes() -> list[str | None]:
    """Return the classes of render window to try; None is VTK's default. EGL is first because it needs no display."""
    if sys.platform.startswith("linux") and WINDOW_VARIABLE not in os.environ:
        return ["vtkEGLRenderWindow", None]
    return [None]


def render(folder: Path, size: tuple[int, int]) -> np.ndarray:
    """Render the .vtp surfaces of a folder in this process.

    Args:
        folder: Folder with a file for each surface, named by `COLOURS`.
        size: Width and height of each picture in pixels.

    Returns:
        uint8 (views, height, width, 3), in the order of `VIEWS`.
    """
    import vtkmodules.vtkRenderingOpenGL2  # noqa: F401  registers the OpenGL implementations
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkIOXML import vtkXMLPolyDataReader
    from vtkmodules.vtkRenderingCore import (
        vtkActor,
        vtkPolyDataMapper,
        vtkRenderer,
        vtkRenderWindow,
        vtkWindowToImageFilter,
    )

    renderer = vtkRenderer()
    renderer.SetBackground(*_rgb(palette.BACKGROUND))
    for name, colour in COLOURS.items():
        file = folder / f"{name}.vtp"
        if file.exists():
            reader = vtkXMLPolyDataReader()
            reader.SetFileName(str(file))
            mapper = vtkPolyDataMapper()
            mapper.SetInputConnection(reader.GetOutputPort())
            mapper.ScalarVisibilityOff()
            actor = vtkActor()
            actor.SetMapper(mapper)
            material = actor.GetProperty()
            material.SetColor(*_rgb(colour))
            material.SetSpecular(0.15)
            material.SetOpacity(1.0 if name == "infection" else 0.22)
            renderer.AddActor(actor)

    window = vtkRenderWindow()
    window.SetOffScreenRendering(True)
    window.SetMultiSamples(4)
    window.SetSize(*size)
    window.AddRenderer(renderer)
    bounds = np.reshape(renderer.ComputeVisiblePropBounds(), (3, 2))
    centre, extent = bounds.mean(1), np.ptp(bounds, axis=1)
    camera = renderer.GetActiveCamera()
    camera.ParallelProjectionOn()
    # All views have the same scale.
    camera.SetParallelScale(0.56 * max(extent[2], max(extent[:2]) * size[1] / size[0]))
    pictures = []
    for view in VIEWS.values():
        camera.SetFocalPoint(*centre)
        camera.SetPosition(*(centre + 1000 * np.asarray(view.camera)))
        camera.SetViewUp(0, 0, 1)
        renderer.ResetCameraClippingRange()
        window.Render()
        capture = vtkWindowToImageFilter()
        capture.SetInput(window)
        capture.ReadFrontBufferOff()
        capture.ShouldRerenderOff()
        capture.Update()
        pixels = vtk_to_numpy(capture.GetOutput().GetPointData().GetScalars())
        pictures.append(pixels.reshape(size[1], size[0], 3)[::-1])
    return np.stack(pictures)


def _rgb(colour: str) -> tuple[float, float, float]:
    """Convert a colour "#rrggbb" to red, green and blue from 0 to 1."""
    red, green, blue = bytes.fromhex(colour[1:])
    return red / 255, green / 255, blue / 255


if __name__ == "__main__":
    # The working folder contains the surfaces.
    np.save(PICTURES_FILE, render(Path.cwd(), (int(sys.argv[1]), int(sys.argv[2]))))
