"""The report on a segmentation: lung volumes, involvement and lesions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..masks import bounding_box
from ..notices import NOT_FOR_DIAGNOSIS
from ..segmentation import LEFT_LUNG, RIGHT_LUNG, Segmentation
from ..volume import Volume
from .lesions import SMALLEST_LESION_ML, find_lesions, is_lesion

SCHEMA = "covidseg-report/1"
#: Labels of the lungs by their key in the report.
LUNGS = {"right": RIGHT_LUNG, "left": LEFT_LUNG}
#: Decimals by the unit at the end of a key.
DECIMALS = {"ml": 3, "percent": 2, "hu": 1, "mm": 2}


def quantify(volume: Volume, segmentation: Segmentation) -> dict[str, Any]:
    """Measure a segmentation.

    Args:
        volume: The CT.
        segmentation: Its segmentation. Infection outside the lungs, which manual edits can leave, is not counted. A
            warning reports its volume.

    Returns:
        The report, JSON values only, rounded by unit:

        - `schema`, `notice`: version of the report format, and the notice against diagnostic use.
        - `input`: source of the CT.
        - `lungs`: `right`, `left` and `both`, each with `volume_ml` (including infection), `infection_ml`,
          `involvement_percent`, `mean_hu` (including infection) and `infection_mean_hu`. None if undefined.
        - `lesions`: `count` and `list`, largest first. A lesion is a 26-connected component of the infection within one
          lung, of at least `smallest_counted_ml`. `smaller` holds number and total volume of the smaller components,
          which the infection volumes of the lungs include. For the fields of a lesion see `lesions.find_lesions`.
        - `warnings`: of the CT, the segmentation and the measurement.
        - `provenance`: of the segmentation.

    Raises:
        ValueError: CT and segmentation have different shapes.

    Example:
        >>> from CovidSegLib.volume import Grid, GridSpacing
        >>> grid = Grid((10, 20, 20), GridSpacing(1.0, 1.0, 2.5))
        >>> lungs = np.full(grid.shape, RIGHT_LUNG, dtype=np.uint8)
        >>> infection = np.zeros(grid.shape, dtype=bool)
        >>> infection[2:6, 5:10, 5:10] = True
        >>> hu = np.where(infection, -400, -800).astype(np.int16)
        >>> segmentation = Segmentation(lungs, infection, 255 * infection.astype(np.uint8), grid)
        >>> report = quantify(Volume(hu, grid), segmentation)
        >>> report["lungs"]["both"]["volume_ml"], report["lungs"]["both"]["involvement_percent"]
        (10.0, 2.5)
        >>> report["lesions"]["list"][0]["volume_ml"], report["lesions"]["list"][0]["mean_hu"]
        (0.25, -400.0)
    """
    if volume.grid.shape != segmentation.grid.shape:
        raise ValueError(f"CT of shape {volume.grid.shape}, segmentation of shape {segmentation.grid.shape}")
    lungs, outside_ml = _measure_lungs(volume, segmentation)
    warnings = [*volume.warnings, *segmentation.warnings]
    if outside_ml > 0:
        warnings.append(f"{outside_ml:.3f} ml of infection lie outside the lungs and are not counted.")
    return {
        "schema": SCHEMA,
        "notice": NOT_FOR_DIAGNOSIS,
        "input": json_values(volume.source),
        "lungs": {name: rounded(numbers) for name, numbers in lungs.items()},
        "lesions": _measure_lesions(volume, segmentation),
        "warnings": list(dict.fromkeys(warnings)),
        "provenance": json_values(segmentation.provenance),
    }


def _measure_lungs(volume: Volume, segmentation: Segmentation) -> tuple[dict[str, dict[str, float | None]], float]:
    """Measure each lung and both together. Also return the volume in ml of the infection outside the lungs."""
    # By code: the lung label, plus 4 for infection.
    voxels, sums = np.zeros(8), np.zeros(8)
    # Slice by slice, because bincount allocates 16 bytes for each voxel.
    for lungs, infection, array in zip(segmentation.lungs, segmentation.infection, volume.array, strict=True):
        code = (lungs + np.uint8(4) * infection).ravel()
        voxels += np.bincount(code, minlength=8)
        sums += np.bincount(code, array.ravel(), minlength=8)
    ml = volume.grid.voxel_ml
    regions = {name: (label,) for name, label in LUNGS.items()} | {"both": tuple(LUNGS.values())}
    numbers: dict[str, dict[str, float | None]] = {}
    for name, labels in regions.items():
        healthy, infected = list(labels), [4 + label for label in labels]
        lung_voxels, infection_voxels = voxels[healthy + infected].sum(), voxels[infected].sum()
        numbers[name] = {
            "volume_ml": lung_voxels * ml,
            "infection_ml": infection_voxels * ml,
            "involvement_percent": _ratio(100 * infection_voxels, lung_voxels),
            "mean_hu": _ratio(sums[healthy + infected].sum(), lung_voxels),
            "infection_mean_hu": _ratio(sums[infected].sum(), infection_voxels),
        }
    return numbers, float(voxels[4] * ml)


def _measure_lesions(volume: Volume, segmentation: Segmentation) -> dict[str, Any]:
    components = []
    for name, label in LUNGS.items():
        lung = segmentation.lungs == label
        box = bounding_box(lung)
        if box is not None:
            lung[box] &= segmentation.infection[box]
            components += [{"lung": name, **lesion} for lesion in find_lesions(lung, volume.array, volume.grid)]
    components.sort(key=lambda lesion: -lesion["volume_ml"])
    counted = [lesion for lesion in components if is_lesion(lesion["volume_ml"])]
    smaller = components[len(counted) :]
    return {
        "count": len(counted),
        "smallest_counted_ml": SMALLEST_LESION_ML,
        "smaller": rounded({"count": len(smaller), "volume_ml": sum(lesion["volume_ml"] for lesion in smaller)}),
        "list": [rounded({"number": number, **lesion}) for number, lesion in enumerate(counted, start=1)],
    }


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def rounded(numbers: dict[str, Any]) -> dict[str, Any]:
    """Round numbers according to the unit at the end of their keys. Values that are not finite become None."""

    def to_decimals(value: Any, decimals: int | None) -> Any:
        if isinstance(value, list):
            return [to_decimals(part, decimals) for part in value]
        if decimals is None or value is None:
            return value
        # Adding zero turns -0.0 into 0.0.
        return round(float(value), decimals) + 0.0 if math.isfinite(value) else None

    return {name: to_decimals(value, DECIMALS.get(name.rpartition("_")[2])) for name, value in numbers.items()}


def json_values(value: Any) -> Any:
    """Return a value with NumPy and pydicom types as JSON types. Numbers that are not finite become None."""
    if isinstance(value, dict):
        return {str(key): json_values(part) for key, part in value.items()}
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [json_values(part) for part in value]
    return str(value)
