"""Writes the lesions of a comparison as segments, coloured by what became of them."""

from __future__ import annotations

from pathlib import Path

from ..followup import CHANGES, Comparison
from ..volume import Grid
from .segment_file import FileSegment, extent_text, write_segments
from .terminology import SEGMENTS

#: Colours of the changes: red for more infection, blue and green for less, grey for what cannot be compared. Those of
#: Okabe and Ito, which colour-blind people can distinguish.
CHANGE_COLOURS = {
    "new": (0.835, 0.369, 0.0),
    "grown": (0.902, 0.624, 0.0),
    "stable": (0.941, 0.894, 0.259),
    "shrunken": (0.337, 0.706, 0.914),
    "resolved": (0.0, 0.620, 0.451),
    "not covered": (0.6, 0.6, 0.6),
}


def write_change_segments(path: Path, comparison: Comparison, grid: Grid) -> None:
    """Write the lesions of both CTs as segments: in the first layer those of the current CT, in the second the prior's.

    Args:
        path: File to write, ending in `.seg.nrrd`.
        comparison: The lesions.
        grid: Grid of the current CT.

    Raises:
        OSError: The file could not be written completely.
    """
    layers = (comparison.labels, comparison.prior_labels)
    tags = {"TerminologyEntry": SEGMENTS[-1].terminology_entry}
    segments = []
    for layer, labels in enumerate(layers):
        extent = extent_text(labels)
        for value, change in enumerate(CHANGES, start=1):
            identifier = f"{'prior' if layer else 'current'}_{change.replace(' ', '_')}"
            name = f"Earlier, {change}" if layer else change.capitalize()
            segments.append(FileSegment(identifier, name, CHANGE_COLOURS[change], layer, value, extent, tags))
    write_segments(path, layers, grid, segments)
