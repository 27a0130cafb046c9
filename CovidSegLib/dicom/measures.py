"""Numbers of each region that the structured report states. They are those of `report.json` and of the panel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydicom.sr.coding import Code

from ..masks import bounding_box
from ..quantification.live import LiveCounts
from ..quantification.numbers import RegionNumbers, numbers_of
from ..volume import Grid
from . import codes
from .regions import Regions
from .result import Result
from .source import Source

#: Decimals by unit.
DECIMALS = {"ml": 3, "%": 2, "[hnsf'U]": 1}


@dataclass(frozen=True)
class Measure:
    """One number of a region.

    Attributes:
        concept: What is measured.
        value: Its value, rounded.
        unit: Its unit.
        derivation: How it is derived from several voxels, or None.
    """

    concept: Code
    value: float
    unit: Code
    derivation: Code | None = None


def measures_of(source: Source, result: Result, regions: Regions) -> dict[str, list[Measure]]:
    """Return the numbers of each region, by its key.

    Lungs and zones have their volume (infection included), that of the infection in them, their infected share, that of
    ground glass and consolidation, and mean HU. Infection, ground glass, consolidation and lesions have volume and
    mean HU. Numbers that are not defined, such as the mean HU of nothing, are left out.
    """
    hu, grid = source.volume.array, source.volume.grid
    lungs, infection = result.segmentation.lungs, result.segmentation.infection
    box = bounding_box((lungs > 0) | infection) or (slice(0, 1),) * 3
    counts = LiveCounts(hu, grid).update(box, lungs[box], infection[box])
    numbers = numbers_of(counts)
    measures = {}
    for part in (*numbers.lungs, *numbers.zones):
        measures[part.name.replace(" ", "_")] = _of_lung(part)
    for name, mask in regions.masks.items():
        measures[name] = measures.get(name) or _of_mask(
            int(np.count_nonzero(mask)), float(hu[mask].sum(dtype=float)), grid
        )
    voxels, sums = np.zeros(len(regions.lesions) + 1), np.zeros(len(regions.lesions) + 1)
    for labels, plane in zip(regions.lesion_labels, hu, strict=True):  # bincount needs much memory
        voxels += np.bincount(labels.ravel(), minlength=voxels.size)
        sums += np.bincount(labels.ravel(), plane.ravel(), minlength=voxels.size)
    for number, region in enumerate(regions.lesions, start=1):
        measures[region.key] = _of_mask(int(voxels[number]), sums[number], grid)
    return {region.key: measures[region.key] for region in regions.all}


def _of_lung(numbers: RegionNumbers) -> list[Measure]:
    kinds = numbers.infection_kinds_ml
    values = [
        _measure(codes.VOLUME, numbers.volume_ml, codes.MILLILITRE),
        _measure(codes.INFECTION_VOLUME, numbers.infection_ml, codes.MILLILITRE),
        _measure(codes.INVOLVEMENT, numbers.involvement_percent, codes.PERCENT),
        _measure(codes.GROUND_GLASS_VOLUME, kinds["ground_glass"], codes.MILLILITRE),
        _measure(codes.CONSOLIDATION_VOLUME, kinds["consolidation"], codes.MILLILITRE),
        _measure(codes.ATTENUATION, numbers.mean_hu, codes.HOUNSFIELD, codes.MEAN),
        _measure(codes.INFECTION_ATTENUATION, numbers.infection_mean_hu, codes.HOUNSFIELD, codes.MEAN),
    ]
    return [value for value in values if value is not None]


def _of_mask(voxels: int, sum_hu: float, grid: Grid) -> list[Measure]:
    values = [
        _measure(codes.VOLUME, voxels * grid.voxel_ml, codes.MILLILITRE),
        _measure(codes.ATTENUATION, sum_hu / voxels if voxels else None, codes.HOUNSFIELD, codes.MEAN),
    ]
    return [value for value in values if value is not None]


def _measure(
    concept: Code,
    value: float | None,
    unit: Code,
    derivation: Code | None = None,
) -> Measure | None:
    if value is None:
        return None
    return Measure(concept, round(float(value), DECIMALS[unit.value]) + 0.0, unit, derivation)
