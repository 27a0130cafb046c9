"""Writes a segmentation as `.seg.nrrd`, see `segment_file`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..printable import printable
from ..segmentation import LEFT_LUNG, RIGHT_LUNG, Segmentation
from .segment_file import FileSegment, extent_text, write_segments
from .terminology import SEGMENTS

#: Layer and label value of each segment. The infection has its own layer because it overlaps with the lungs.
LAYERS = {"right_lung": (0, RIGHT_LUNG), "left_lung": (0, LEFT_LUNG), "infection": (1, 1)}


def write_seg_nrrd(path: Path, segmentation: Segmentation) -> None:
    """Write right lung, left lung and infection as overlapping segments on the full grid of the CT.

    Each segment has a name, a colour and a terminology entry, and the tags `CovidSeg.version`, `CovidSeg.model` and
    `CovidSeg.sha256` if the provenance contains them.

    Args:
        path: File to write, ending in `.seg.nrrd`.
        segmentation: The segmentation. Segments may be empty.

    Raises:
        OSError: The file could not be written completely.
    """
    layers = (segmentation.lungs, segmentation.infection)
    provenance = provenance_tags(segmentation.provenance)
    extents = [extent_text(layer) for layer in layers]
    segments = []
    for segment in SEGMENTS:
        layer, value = LAYERS[segment.identifier]
        tags = {"TerminologyEntry": segment.terminology_entry, **provenance}
        segments.append(
            FileSegment(segment.identifier, segment.name, segment.color, layer, value, extents[layer], tags)
        )
    write_segments(path, layers, segmentation.grid, segments)


def provenance_tags(provenance: Mapping[str, Any]) -> dict[str, str]:
    """Return the version and the model of a provenance as tags of a segment."""
    model = provenance.get("model")
    model = model if isinstance(model, dict) else {}
    facts = {
        "version": provenance.get("versions", {}).get("covidseg"),
        "model": model.get("name"),
        "sha256": model.get("sha256"),
    }
    # In the header, a bar ends a tag and a line break ends a field.
    return {
        f"CovidSeg.{key}": printable(" ".join(str(fact).replace("|", "/").split()))
        for key, fact in facts.items()
        if fact
    }
