"""Numbers of regions from counted voxels: volumes, involvement, mean HU, kinds of tissue, severity and histogram."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .density import INFECTION_RANGES, LUNG_RANGES, HuRange
from .live import BINS, LOBES, LOWEST_HU, Counts
from .severity import Severity, ct_severity_score, six_zone_score
from .zones import ZONES

#: Width of a bin of `Numbers.histogram` in HU.
HISTOGRAM_HU = 10


@dataclass(frozen=True)
class RegionNumbers:
    """The numbers of a region of the lungs. A number that is not defined is None.

    Attributes:
        name: "right lung", "left lung", "both lungs", "right upper zone", "left lower lobe", ...
        volume_ml: Volume, including infection.
        infection_ml: Volume of the infection.
        involvement_percent: Infected share of the volume.
        mean_hu: Mean of the region in HU, including infection.
        infection_mean_hu: Mean of the infection in HU.
        infection_kinds_ml: Volume of each kind of tissue within the infection, by the name of its range.
        kinds_percent: Share of each kind of tissue in the region, infected or not, by the name of its range.
    """

    name: str
    volume_ml: float
    infection_ml: float
    involvement_percent: float | None
    mean_hu: float | None
    infection_mean_hu: float | None
    infection_kinds_ml: dict[str, float]
    kinds_percent: dict[str, float | None]


@dataclass(frozen=True)
class Histogram:
    """Volume by Hounsfield unit.

    Attributes:
        hu: Centres of the bins.
        lungs_ml: Volume of both lungs in each bin, including infection.
        infection_ml: Volume of the infection in each bin.
    """

    hu: np.ndarray
    lungs_ml: np.ndarray
    infection_ml: np.ndarray


@dataclass(frozen=True)
class Numbers:
    """All numbers of a result.

    Attributes:
        lungs: Right lung, left lung, both lungs.
        zones: Upper, middle and lower zone of the right lung, then of the left lung.
        lobes: The five lobes; empty if they are not known.
        severity: The score by lobe if lobes are known, otherwise by zone.
        histogram: Hounsfield units of lungs and infection.
        outside_ml: Volume of infection outside the lungs, which no other number includes.
    """

    lungs: tuple[RegionNumbers, ...]
    zones: tuple[RegionNumbers, ...]
    lobes: tuple[RegionNumbers, ...]
    severity: Severity
    histogram: Histogram
    outside_ml: float

    @property
    def regions(self) -> tuple[RegionNumbers, ...]:
        """Lungs, zones and lobes."""
        return self.lungs + self.zones + self.lobes


def numbers_of(
    counts: Counts,
    *,
    lobes: bool = False,
    infection_ranges: Mapping[str, HuRange] = INFECTION_RANGES,
    lung_ranges: Mapping[str, HuRange] = LUNG_RANGES,
) -> Numbers:
    """Compute all numbers from counted voxels.

    Args:
        counts: From `LiveCounts.update`.
        lobes: Whether lobes were counted.
        infection_ranges: Kinds of tissue within the infection.
        lung_ranges: Kinds of tissue in the lungs.
    """

    def region(name: str, zone: slice, lobe: slice = slice(None)) -> RegionNumbers:
        voxels = counts.voxels[:, lobe, zone].sum((1, 2))
        sums = counts.sums[:, lobe, zone].sum((1, 2))
        all_voxels, infected = int(voxels.sum()), int(voxels[1].sum())
        kinds = {name: int(_within(voxels, kind).sum()) for name, kind in lung_ranges.items()}
        return RegionNumbers(
            name,
            all_voxels * counts.voxel_ml,
            infected * counts.voxel_ml,
            _ratio(100 * infected, all_voxels),
            _ratio(float(sums.sum()), all_voxels),
            _ratio(float(sums[1]), infected),
            {name: int(_within(voxels[1], kind).sum()) * counts.voxel_ml for name, kind in infection_ranges.items()},
            {name: _ratio(100 * count, all_voxels) for name, count in kinds.items()},
        )

    right, left, both = slice(1, 4), slice(4, 7), slice(1, 7)
    lungs = (region("right lung", right), region("left lung", left), region("both lungs", both))
    names = [f"{side} {zone}" for side in ("right", "left") for zone in ZONES]
    zones = tuple(region(f"{name} zone", slice(code, code + 1)) for code, name in enumerate(names, start=1))
    of_lobes = tuple(region(f"{name} lobe", both, slice(code, code + 1)) for code, name in enumerate(LOBES, start=1))
    if lobes:
        shares = {name: part.involvement_percent for name, part in zip(LOBES, of_lobes, strict=True)}
        severity = ct_severity_score(shares)
    else:
        severity = six_zone_score({name: part.involvement_percent for name, part in zip(names, zones, strict=True)})
    outside = int(counts.voxels[1, :, 0].sum()) * counts.voxel_ml
    return Numbers(lungs, zones, of_lobes if lobes else (), severity, _histogram(counts), outside)


def _within(voxels: np.ndarray, kind: HuRange) -> np.ndarray:
    """Return the part of a histogram within a range. The first and last bin hold everything beyond them."""
    low, high = (int(np.clip(bound - LOWEST_HU, 0, BINS)) for bound in kind)
    return voxels[..., low:high]


def _histogram(counts: Counts) -> Histogram:
    voxels = counts.voxels[:, :, 1:].sum((1, 2))
    width = BINS // HISTOGRAM_HU * HISTOGRAM_HU
    coarse = voxels[:, :width].reshape(2, -1, HISTOGRAM_HU).sum(2) * counts.voxel_ml
    hu = LOWEST_HU + HISTOGRAM_HU * np.arange(coarse.shape[1]) + HISTOGRAM_HU / 2
    return Histogram(hu, coarse.sum(0), coarse[1])


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
