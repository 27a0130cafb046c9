"""The rows of the tables of a report: regions and lesions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..quantification.numbers import Numbers, RegionNumbers

#: State of a lesion that is not part of the infection.
REJECTED = "rejected"


@dataclass(frozen=True)
class Region:
    """A row of the table of regions. Numbers that are not defined are None. Volumes are in ml.

    Attributes:
        name: Such as "right lung", "right upper zone", "left lower lobe".
        volume_ml: Volume, including infection.
        infection_ml: Volume of the infection.
        involvement_percent: Infected share.
        mean_hu: Mean density in HU, including infection.
        ground_glass_ml: Infection with the density of ground glass.
        consolidation_ml: Infection with the density of consolidation.
        score: Part of the severity score, if the region has one.
    """

    name: str
    volume_ml: float | None
    infection_ml: float | None
    involvement_percent: float | None
    mean_hu: float | None
    ground_glass_ml: float | None = None
    consolidation_ml: float | None = None
    score: int | None = None


@dataclass(frozen=True)
class ReportLesion:
    """A row of the table of lesions.

    Attributes:
        number: Its number.
        side: "right", "left" or "outside".
        zone: "upper", "middle", "lower", or None.
        volume_ml: Volume.
        mean_hu: Mean density in HU.
        state: "proposed", "accepted", "edited" or "rejected"; empty if nobody has reviewed it.
        inside_ras_mm: A point within the lesion.
    """

    number: int
    side: str
    zone: str | None
    volume_ml: float
    mean_hu: float
    state: str = ""
    inside_ras_mm: tuple[float, float, float] | None = None


def regions_of(numbers: Numbers) -> tuple[Region, ...]:
    """Return the rows of the table of regions: the lungs, and the lobes if they are known, else the zones."""
    parts = numbers.severity.parts
    return tuple(_region(region, parts) for region in (*numbers.lungs, *(numbers.lobes or numbers.zones)))


def _region(region: RegionNumbers, parts: Mapping[str, int | None]) -> Region:
    kinds = region.infection_kinds_ml
    return Region(
        region.name,
        region.volume_ml,
        region.infection_ml,
        region.involvement_percent,
        region.mean_hu,
        kinds.get("ground_glass"),
        kinds.get("consolidation"),
        parts.get(region.name.removesuffix(" zone").removesuffix(" lobe")),
    )
