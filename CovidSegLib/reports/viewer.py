"""A viewer in one HTML file, which any browser opens without server and without network.

NiiVue (https://niivue.com) draws slices and surfaces. It is part of the page, as are the data.
"""

from __future__ import annotations

import base64
import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
from vtkmodules.vtkCommonDataModel import vtkPolyData

from ..figures import palette
from ..notices import NOT_FOR_DIAGNOSIS
from ..segmentation import Segmentation
from ..surfaces.closed_surfaces import closed_surface
from ..surfaces.meshes import points_of, triangles_of
from ..volume import Volume
from . import wording
from .content import ReportContent
from .templates import environment
from .thinning import HIGH, LOW, nifti, thinned

NIIVUE = Path(__file__).parent / "static" / "niivue.umd.js.gz"
#: Blocks in mm from which the surfaces are computed.
BLOCK_MM = {"lungs": 4.0, "infection": 2.0}
#: Thresholds of the slider.
LOWEST, HIGHEST = 0.05, 0.95
#: Largest file.
MOST_BYTES = 20_000_000


def viewer_html(
    volume: Volume, segmentation: Segmentation, content: ReportContent, *, has_probability: bool = True
) -> str:
    """Return the viewer.

    Args:
        volume: The CT.
        segmentation: Its present masks, with the probabilities of the model.
        content: What the report says.
        has_probability: Whether the probabilities are known. Without them there is no slider.
    """
    small = thinned(volume, segmentation)
    grey = (HIGH - LOW) / 255
    parts = {
        "ct": nifti(small.ct, small.grid, grey, LOW),
        "lungs": nifti(small.lungs, small.grid),
        "infection": nifti(small.infection, small.grid),
    }
    if has_probability:
        parts["probability"] = nifti(small.probability, small.grid)
    for name, mask in (("lungs", segmentation.lungs), ("infection", segmentation.infection)):
        surface = closed_surface(mask, segmentation.grid, BLOCK_MM[name])
        if surface is not None:
            parts[f"{name}_surface"] = mz3(surface)
    values: dict[str, Any] = {
        "notice": NOT_FOR_DIAGNOSIS,
        "banner": content.banner,
        "headline": wording.headline(content),
        "summary": wording.summary(content),
        "severity": wording.severity_line(content),
        "parts": {name: base64.b64encode(part).decode("ascii") for name, part in parts.items()},
        "niivue": _program(),
        "data": {
            "threshold": content.threshold,
            "lowest": LOWEST,
            "highest": HIGHEST,
            "range": [LOW, HIGH],
            "colours": {"lungs": _rgb(palette.LUNGS), "infection": _rgb(palette.INFECTION)},
            "lesions": [
                {
                    "number": lesion.number,
                    "place": " ".join(part for part in (lesion.side, lesion.zone) if part),
                    "ml": wording.number(lesion.volume_ml, 1),
                    "hu": wording.number(lesion.mean_hu),
                    "ras": lesion.inside_ras_mm,
                }
                for lesion in content.lesions
                if lesion.inside_ras_mm is not None
            ],
        },
    }
    return environment().get_template("viewer.html.jinja").render(values)


def mz3(surface: vtkPolyData) -> bytes:
    """Return a surface in LPS mm as MZ3, the format of Surfice and NiiVue, in RAS mm.

    The format is a header of 16 bytes (magic number, attributes, faces, vertices, bytes to skip), the faces as int32
    and the vertices as float32: https://github.com/neurolabusc/surf-ice/tree/master/mz3
    """
    faces = np.ascontiguousarray(triangles_of(surface), "<i4")
    points = np.ascontiguousarray(points_of(surface) * [-1, -1, 1], "<f4")
    header = struct.pack("<HHIII", 0x5A4D, 3, len(faces), len(points), 0)
    return gzip.compress(header + faces.tobytes() + points.tobytes(), 6, mtime=0)


def _program() -> str:
    """Return NiiVue as text that can stand in a script element."""
    return (
        gzip.decompress(NIIVUE.read_bytes()).decode("utf-8").replace("</script", "<\\/script").replace("<!--", "<\\!--")
    )


def _rgb(colour: str) -> list[int]:
    return list(bytes.fromhex(colour[1:]))
