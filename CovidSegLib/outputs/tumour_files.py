"""Writes lung tumours: segments, mask, probability and measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..notices import NOT_FOR_DIAGNOSIS
from ..quantification.lesions import SMALLEST_LESION_ML, find_lesions, is_lesion
from ..quantification.report import json_values, rounded
from ..segmentation import TumourSegmentation
from ..storage.staging import check_writable, staged_files
from ..volume import Volume
from .names import TUMOUR_FILES
from .report_files import write_json
from .seg_nrrd import provenance_tags
from .segment_file import FileSegment, extent_text, write_segments
from .terminology import TUMOUR
from .writing import write_image

SCHEMA = "covidseg-tumours/1"


def prepare_tumours(out: Path, *, overwrite: bool = False) -> None:
    """Check before a long run that its results can be written. See `results.prepare`."""
    check_writable(out, tuple(TUMOUR_FILES.values()), overwrite=overwrite)


def write_tumours(out: Path, volume: Volume, found: TumourSegmentation, *, overwrite: bool = False) -> list[Path]:
    """Write the tumours of a CT to a folder, or nothing.

    The files are named in `names.TUMOUR_FILES`. `tumour.json` holds what `measure_tumours` returns.

    Args:
        out: Folder for the results. Created if it does not exist. Other files in it are not touched.
        volume: The CT.
        found: Its tumours.
        overwrite: Replace earlier results of tumours in `out`.

    Returns:
        Paths of the written files.

    Raises:
        InputError: The folder cannot be written, its disk is full, or it contains earlier results.
        ValueError: CT and tumours have different shapes.
    """
    report = measure_tumours(volume, found)
    tags = {"TerminologyEntry": TUMOUR.terminology_entry, **provenance_tags(found.provenance)}
    mask = found.tumour.astype(np.uint8)
    segment = FileSegment(TUMOUR.identifier, TUMOUR.name, TUMOUR.color, 0, 1, extent_text(mask), tags)
    with staged_files(out, tuple(TUMOUR_FILES.values()), overwrite=overwrite) as folder:
        write_segments(folder / TUMOUR_FILES["segmentation"], [mask], found.grid, [segment])
        write_image(folder / TUMOUR_FILES["mask"], found.grid.to_image(mask))
        write_image(folder / TUMOUR_FILES["probability"], found.grid.to_image(found.probability))
        write_json(folder / TUMOUR_FILES["report"], report)
    return [out / name for name in TUMOUR_FILES.values()]


def measure_tumours(volume: Volume, found: TumourSegmentation) -> dict[str, Any]:
    """Measure tumours: JSON values only, rounded by unit.

    Returns:
        `schema`, `notice`, `input`, `warnings` and `provenance` as in `quantification.quantify`; `volume_ml` of all
        tumour voxels; and `tumours`, the 26-connected components, largest first, as `lesions` there.

    Raises:
        ValueError: CT and tumours have different shapes.
    """
    if volume.grid.shape != found.grid.shape:
        raise ValueError(f"CT of shape {volume.grid.shape}, tumours of shape {found.grid.shape}")
    components = find_lesions(found.tumour, volume.array, volume.grid)
    counted = [component for component in components if is_lesion(component["volume_ml"])]
    smaller = components[len(counted) :]
    return {
        "schema": SCHEMA,
        "notice": NOT_FOR_DIAGNOSIS,
        "input": json_values(volume.source),
        **rounded({"volume_ml": float(found.tumour.sum()) * found.grid.voxel_ml}),
        "tumours": {
            "count": len(counted),
            "smallest_counted_ml": SMALLEST_LESION_ML,
            "smaller": rounded({"count": len(smaller), "volume_ml": sum(part["volume_ml"] for part in smaller)}),
            "list": [rounded({"number": number, **part}) for number, part in enumerate(counted, start=1)],
        },
        "warnings": list(dict.fromkeys([*volume.warnings, *found.warnings])),
        "provenance": json_values(found.provenance),
        "files": dict(TUMOUR_FILES),
    }
