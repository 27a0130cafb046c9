"""A sample CT, for the panel and for Slicer's module Sample Data. It is synthetic and made on this computer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from .process.background import Background
from .scene.nodes import add_node

#: Name of the sample in the module Sample Data, and of its volume node.
NAME = "SyntheticChestCT"
THUMBNAIL = Path(__file__).parents[1] / "Resources" / "Icons" / "CovidSeg.png"


def make_sample() -> Background[Any]:
    """Begin to make the sample CT in a thread. Pass the result to `add_sample`."""

    def make() -> Any:
        from CovidSegLib.phantom import make_phantom  # loads scipy

        return make_phantom().volume

    return Background(make)


def add_sample(volume: Any) -> slicer.vtkMRMLScalarVolumeNode:
    """Add the sample CT to the scene and show it.

    Args:
        volume: The `Volume` of the sample.
    """
    node = add_node("vtkMRMLScalarVolumeNode", _("Synthetic chest CT"))
    slicer.util.updateVolumeFromArray(node, volume.array)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(volume.grid.affine_ras))
    node.CreateDefaultDisplayNodes()
    slicer.util.setSliceViewerLayers(background=node, fit=True)
    return node


def download(_source: Any = None) -> list[slicer.vtkMRMLScalarVolumeNode]:
    """Make the sample CT for the module Sample Data, and wait for it."""
    sample = make_sample()
    while not sample.done:
        slicer.app.processEvents()
        time.sleep(0.05)
    return [add_sample(sample.result())]


def register() -> None:
    """Add the sample CT to the module Sample Data."""
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="CovidSeg",
        sampleName=NAME,
        thumbnailFileName=str(THUMBNAIL),
        customDownloader=download,
    )
