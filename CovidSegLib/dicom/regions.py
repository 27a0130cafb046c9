"""The parts of a result that become segments and measurement groups, with their identifiers, codes and voxels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from pydicom.sr.coding import Code

from ..quantification.density import INFECTION_RANGES
from ..quantification.zones import ZONES, heights, zone_codes, zone_limits
from ..segmentation import LEFT_LUNG, RIGHT_LUNG
from . import codes
from .result import Result
from .source import Source
from .tracking import Tracking, stable_uid

#: Colours, red, green and blue from 0 to 1 (Okabe and Ito).
ZONE_COLORS = {"upper": (0.337, 0.706, 0.914), "middle": (0.0, 0.62, 0.451), "lower": (0.0, 0.447, 0.698)}
#: Before `regions_of` has identified a region.
UNTRACKED = Tracking("", "")
LESION_COLOR = (0.835, 0.369, 0.0)


@dataclass(frozen=True)
class Region:
    """A part of a result.

    Attributes:
        key: Its name in CovidSeg: "right_lung", "ground_glass", "left_upper_zone", "lesion_3", ...
        label: Name for people, which is also the tracking identifier.
        category, type: DICOM Segmented Property Category and Type.
        modifier: Modifier of the type, or None.
        site: Where it is: an anatomical structure.
        side: "right", "left", or "" for both.
        color: Red, green and blue from 0 to 1.
        note: How its voxels were found, if not by the model alone.
        tracking: Identifies the same part in other objects and in later examinations.
    """

    key: str
    label: str
    category: Code
    type: Code
    modifier: Code | None
    site: Code
    side: str
    color: tuple[float, float, float]
    note: str = ""
    tracking: Tracking = UNTRACKED


#: The structures in the order of their segments. Later ones override earlier ones in a label map.
STRUCTURES = (
    Region(
        "right_lung",
        "Right lung",
        codes.ANATOMY,
        codes.LUNG,
        codes.SIDES["right"],
        codes.LUNG,
        "right",
        (0.337, 0.706, 0.914),
    ),
    Region(
        "left_lung",
        "Left lung",
        codes.ANATOMY,
        codes.LUNG,
        codes.SIDES["left"],
        codes.LUNG,
        "left",
        (0.0, 0.447, 0.698),
    ),
    Region(
        "infection",
        "COVID-19 infection",
        codes.ALTERED,
        codes.PNEUMONIA,
        codes.COVID_19,
        codes.LUNG,
        "",
        (0.835, 0.369, 0.0),
    ),
    Region(
        "ground_glass",
        "Ground glass opacity",
        codes.ALTERED,
        codes.GROUND_GLASS,
        None,
        codes.LUNG,
        "",
        (0.941, 0.894, 0.259),
        f"Voxels of the infection, {INFECTION_RANGES['ground_glass']}",
    ),
    Region(
        "consolidation",
        "Consolidation",
        codes.ALTERED,
        codes.CONSOLIDATION,
        None,
        codes.LUNG,
        "",
        (0.8, 0.475, 0.655),
        f"Voxels of the infection, {INFECTION_RANGES['consolidation']}",
    ),
)


@dataclass(frozen=True)
class Regions:
    """All regions of a result that are not empty.

    Attributes:
        structures: Lungs, infection, ground glass and consolidation. They overlap.
        zones: Upper, middle and lower zone of each lung.
        lesions: The lesions.
        masks: Voxels of each structure by its key, bool (z, y, x).
        zone_labels: uint8 (z, y, x): 0, or position in `zones` from 1.
        lesion_labels: uint16 (z, y, x): 0, or position in `lesions` from 1.
    """

    structures: tuple[Region, ...]
    zones: tuple[Region, ...]
    lesions: tuple[Region, ...]
    masks: Mapping[str, np.ndarray]
    zone_labels: np.ndarray
    lesion_labels: np.ndarray

    @property
    def all(self) -> tuple[Region, ...]:
        """All of them."""
        return self.structures + self.zones + self.lesions


def regions_of(source: Source, result: Result, tracking: Mapping[str, Tracking] | None = None) -> Regions:
    """Return the regions of a result.

    Ground glass and consolidation are the voxels of the infection within a range of HU (`density.INFECTION_RANGES`).

    Args:
        source: The CT.
        result: The result on its grid.
        tracking: Identifiers to keep, by key: those of the same regions in an earlier examination. Other UIDs depend on
            the series and on the moment of the segmentation, so that a second export of a result has the same.
    """
    made = result.provenance.get("created", "")
    kept = tracking or {}

    def identified(regions: Iterable[Region]) -> tuple[Region, ...]:
        return tuple(
            replace(
                region,
                tracking=kept.get(region.key)
                or Tracking(region.label, stable_uid(source.series_uid, made, region.key)),
            )
            for region in regions
        )

    masks = _masks(source, result)
    zone_labels, zones = _zones(source, result)
    lesion_labels, lesions = _lesions(result)
    structures = (region for region in STRUCTURES if masks[region.key].any())
    return Regions(identified(structures), identified(zones), identified(lesions), masks, zone_labels, lesion_labels)


def _masks(source: Source, result: Result) -> dict[str, np.ndarray]:
    lungs, infection, hu = result.segmentation.lungs, result.segmentation.infection, source.volume.array
    masks = {"right_lung": lungs == RIGHT_LUNG, "left_lung": lungs == LEFT_LUNG, "infection": infection}
    for name, kind in INFECTION_RANGES.items():
        masks[name] = infection & (hu >= kind.low) & (hu < kind.high)
    return masks


def _zones(source: Source, result: Result) -> tuple[np.ndarray, list[Region]]:
    lungs = result.segmentation.lungs
    z, y, x = (slice(0, size) for size in lungs.shape)
    height = heights(source.volume.grid, (z, y, x))
    codes_of_zones = zone_codes(lungs, height, zone_limits(lungs, height))
    present = np.flatnonzero(np.bincount(codes_of_zones.ravel(), minlength=7)[1:])
    table = np.zeros(7, np.uint8)
    table[1 + present] = np.arange(1, present.size + 1)
    every = [_zone(side, zone) for side in ("right", "left") for zone in ZONES]
    return table[codes_of_zones], [every[index] for index in present]


def _zone(side: str, zone: str) -> Region:
    site = codes.ZONES[zone]
    return Region(
        f"{side}_{zone}_zone",
        f"{side.capitalize()} lung, {zone} zone",
        codes.ANATOMY,
        site,
        codes.SIDES[side],
        site,
        side,
        ZONE_COLORS[zone],
        "Third of the height of the lung",
    )


def _lesions(result: Result) -> tuple[np.ndarray, list[Region]]:
    most = int(result.lesions.max(initial=0))
    joint = np.zeros((most + 1, 4), np.int64)
    for plane, lungs in zip(result.lesions, result.segmentation.lungs, strict=True):  # bincount needs much memory
        joint += np.bincount(4 * plane.ravel().astype(np.intp) + lungs.ravel(), minlength=4 * most + 4).reshape(-1, 4)
    numbers = 1 + np.flatnonzero(joint[1:].any(axis=1))
    table = np.zeros(most + 1, np.uint16)
    table[numbers] = np.arange(1, numbers.size + 1)
    sides = ("right", "left")
    regions = [
        Region(
            f"lesion_{number}",
            f"Lesion {number}",
            codes.ALTERED,
            codes.LESION,
            codes.COVID_19,
            codes.LUNG,
            sides[int(joint[number, 1:3].argmax())] if joint[number, 1:3].any() else "",
            LESION_COLOR,
        )
        for number in numbers.tolist()
    ]
    return table[result.lesions], regions
