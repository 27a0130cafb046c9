"""Pictures of surfaces, rendered off screen in a child process.

A machine without a working OpenGL can end the process that asks for a render window. So a child asks, and where it dies
there is no picture, and nothing else is lost.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from vtkmodules.vtkCommonDataModel import vtkPolyData

from . import palette

#: What a view is called: where the camera stands in LPS, and the patient's sides on the picture's left and right.
VIEWS = {
    "From the front": ((0.0, -1.0, 0.0), ("R", "L")),
    "From the back": ((0.0, 1.0, 0.0), ("L", "R")),
    "From the right": ((-1.0, 0.0, 0.0), ("P", "A")),
    "From the left": ((1.0, 0.0, 0.0), ("A", "P")),
}
COLOURS = {
    "lungs": palette.LUNGS,
    "right_lung": palette.RIGHT_LUNG,
    "left_lung": palette.LEFT_LUNG,
    "infection": palette.INFECTION,
}
WINDOW = "VTK_DEFAULT_OPENGL_WINDOW"


class Rendering:
    """Surfaces being rendered in a child process, while the caller does something else.

    Args:
        surfaces: Closed surfaces in LPS mm: "infection", and "lungs" or "right_lung" and "left_lung".
        size: Width and height in pixels of the picture of each view.
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
        self._windows = _windows()
        self._child = self._start()

    def pictures(self, timeout: float = 60.0) -> dict[str, np.ndarray] | None:
        """Wait for the pictures.

        Returns:
            uint8 (height, width, 3) by the names of `VIEWS`, or None if this machine cannot render within `timeout` s.
        """
        deadline = time.monotonic() + timeout
        result = Path(self._folder.name) / "pictures.npy"
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
        """End the child if it still runs, and remove its files."""
        if self._child and self._child.poll() is None:
            self._child.kill()
            self._child.wait()
        self._child = None
        self._folder.cleanup()

    def _start(self) -> subprocess.Popen[bytes] | None:
        """Start the child with the next kind of window; None when all have been tried."""
        if not self._windows:
            return None
        window = self._windows.pop(0)
        root = str(Path(__file__).resolve().parents[2])
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))}
        if window:
            environment[WINDOW] = window
        try:
            return subprocess.Popen(
                command(self._size),
                env=environment,
                cwd=self._folder.name,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            return None


def command(size: tuple[int, int]) -> list[str]:
    """What renders the surfaces that lie in the folder where it is started."""
    return [sys.executable, "-m", "CovidSegLib.figures.rendering", *map(str, size)]


def _windows() -> list[str | None]:
    """The kinds of render window to try, None for VTK's own choice. EGL needs no display, so none opens anything."""
    if sys.platform.startswith("linux") and WINDOW not in os.environ:
        return ["vtkEGLRenderWindow", None]
    return [None]


def render(folder: Path, size: tuple[int, int]) -> np.ndarray:
    """Render the .vtp surfaces of a folder here and now.

    Returns:
        uint8 (views, height, width, 3), in the order of `VIEWS`.
    """
    import vtkmodules.vtkRenderingOpenGL2  # noqa: F401  registers what draws
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
            look = actor.GetProperty()
            look.SetColor(*_rgb(colour))
            look.SetSpecular(0.15)
            look.SetOpacity(1.0 if name == "infection" else 0.22)
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
    # One scale for all views, so that they can be compared.
    camera.SetParallelScale(0.56 * max(extent[2], max(extent[:2]) * size[1] / size[0]))
    pictures = []
    for side, _ in VIEWS.values():
        camera.SetFocalPoint(*centre)
        camera.SetPosition(*(centre + 1000 * np.asarray(side)))
        camera.SetViewUp(0, 0, 1)
        renderer.ResetCameraClippingRange()
        window.Render()
        grab = vtkWindowToImageFilter()
        grab.SetInput(window)
        grab.ReadFrontBufferOff()
        grab.ShouldRerenderOff()
        grab.Update()
        pixels = vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars())
        pictures.append(pixels.reshape(size[1], size[0], 3)[::-1])
    return np.stack(pictures)


def _rgb(colour: str) -> tuple[float, float, float]:
    """Red, green and blue from 0 to 1 of "#rrggbb"."""
    red, green, blue = bytes.fromhex(colour[1:])
    return red / 255, green / 255, blue / 255


if __name__ == "__main__":
    # `-m` runs in the folder that holds the surfaces.
    np.save("pictures.npy", render(Path.cwd(), (int(sys.argv[1]), int(sys.argv[2]))))
