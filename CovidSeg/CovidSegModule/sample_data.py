"""Sample CTs, for the panel and for Slicer's module Sample Data.

The sample of the panel is synthetic and made on this computer. Sample Data also offers a real chest CT, which Slicer
hosts, and verifies it by its SHA-256.
"""

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
#: The chest CT that Slicer hosts as its own sample "CTChest". It is fetched only when the user asks for it.
REAL_NAME = "ChestCT"
REAL_SHA256 = "4507b664690840abb6cb9af2d919377ffc4ef75b167cb6fd0f747befdb12e38e"
REAL_URL = f"https://github.com/Slicer/SlicerTestingData/releases/download/SHA256/{REAL_SHA256}"
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
    """Add the sample CTs to the module Sample Data."""
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="CovidSeg",
        sampleName=REAL_NAME,
        thumbnailFileName=str(THUMBNAIL),
        uris=REAL_URL,
        fileNames="CT-chest.nrrd",
        nodeNames="CTChest",
        checksums=f"SHA256:{REAL_SHA256}",
    )
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="CovidSeg",
        sampleName=NAME,
        thumbnailFileName=str(THUMBNAIL),
        customDownloader=download,
    )
