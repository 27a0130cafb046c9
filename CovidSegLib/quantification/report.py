"""The numbers of a report: how large the lungs are, how much of them is infected, and where the lesions lie."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..masks import bounding_box
from ..notices import NOT_FOR_DIAGNOSIS
from ..segmentation import LEFT_LUNG, RIGHT_LUNG, Segmentation
from ..volume import Volume
from .lesions import SMALLEST_LESION_ML, find_lesions

SCHEMA = "covidseg-report/1"
LUNGS = {"right": RIGHT_LUNG, "left": LEFT_LUNG}
DECIMALS = {"ml": 3, "percent": 2, "hu": 1, "mm": 2}


def quantify(volume: Volume, segmentation: Segmentation) -> dict[str, Any]:
    """The report on a segmentation, JSON values only.

    `lungs` holds `right`, `left` and `both`, each with `volume_ml` (infection included), `infection_ml`,
    `involvement_percent`, `mean_hu` (infection included) and `infection_mean_hu`; None where nothing can be measured.

    `lesions` holds `count` and `list`, largest first. A lesion is a 26-connected component of infection within one
    lung of at least `smallest_counted_ml`; `smaller` says how many components are below that and their volume. The
    infection volumes of the lungs include those. For the fields of a lesion see `lesions.find_lesions`.

    Args:
        volume: The CT.
        segmentation: Its segmentation. Infection outside the lungs, as editing by hand may leave it, is not counted;
            a warning says how much it is.

    Raises:
        ValueError: CT and segmentation have different shapes.
    """
    if volume.grid.shape != segmentation.grid.shape:
        raise ValueError(f"CT of shape {volume.grid.shape}, segmentation of shape {segmentation.grid.shape}")
    lungs, outside_ml = _lungs(volume, segmentation)
    warnings = [*volume.warnings, *segmentation.warnings]
    if outside_ml > 0:
        warnings.append(f"{outside_ml:.3f} ml of infection lie outside the lungs and are not counted.")
    return {
        "schema": SCHEMA,
        "notice": NOT_FOR_DIAGNOSIS,
        "input": _plain(volume.source),
        "lungs": {name: _rounded(numbers) for name, numbers in lungs.items()},
        "lesions": _lesions(volume, segmentation),
        "warnings": list(dict.fromkeys(warnings)),
        "provenance": _plain(segmentation.provenance),
    }


def _lungs(volume: Volume, segmentation: Segmentation) -> tuple[dict[str, dict[str, float | None]], float]:
    """Numbers of each lung and of both, and the ml of infection outside the lungs."""
    voxels, sums = np.zeros(8), np.zeros(8)
    # Slice by slice, because bincount makes 16 bytes of each voxel.
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


def _lesions(volume: Volume, segmentation: Segmentation) -> dict[str, Any]:
    components = []
    for name, label in LUNGS.items():
        lung = segmentation.lungs == label
        box = bounding_box(lung)
        if box is not None:
            lung[box] &= segmentation.infection[box]
            components += [{"lung": name, **lesion} for lesion in find_lesions(lung, volume.array, volume.grid)]
    components.sort(key=lambda lesion: -lesion["volume_ml"])
    # A grid's voxels add up to 0.1 ml only to within rounding.
    counted = [lesion for lesion in components if lesion["volume_ml"] > SMALLEST_LESION_ML * (1 - 1e-9)]
    smaller = components[len(counted) :]
    return {
        "count": len(counted),
        "smallest_counted_ml": SMALLEST_LESION_ML,
        "smaller": _rounded({"count": len(smaller), "volume_ml": sum(lesion["volume_ml"] for lesion in smaller)}),
        "list": [_rounded({"number": number, **lesion}) for number, lesion in enumerate(counted, start=1)],
    }


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _rounded(numbers: dict[str, Any]) -> dict[str, Any]:
    """Numbers rounded as the unit at the end of their names asks; None for what is not finite."""

    def rounded(value: Any, decimals: int | None) -> Any:
        if isinstance(value, list):
            return [rounded(part, decimals) for part in value]
        if decimals is None or value is None:
            return value
        # Adding zero turns -0.0 into 0.0.
        return round(float(value), decimals) + 0.0 if math.isfinite(value) else None

    return {name: rounded(value, DECIMALS.get(name.rpartition("_")[2])) for name, value in numbers.items()}


def _plain(value: Any) -> Any:
    """A copy as JSON has it: numpy's and pydicom's types become plain ones, what is not finite None."""
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return str(value)
