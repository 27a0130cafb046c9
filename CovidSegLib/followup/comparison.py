"""Compare a CT with an earlier one: register, find what became of each lesion, and measure what changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..progress import Progress, silent, subprogress
from ..quantification.zones import ZONES, heights, zone_codes, zone_limits
from ..volume import Grid, Volume
from .cautions import cautions
from .changes import Comparison, LesionChange, compare_lesions, lesion_components
from .regions import RegionChange, region_changes
from .registration import Registration, register_lungs, resample_labels, resample_volume, sampled
from .time_point import TimePoint

#: Lungs that fit worse than this are not those of the same patient, or not the same part of them.
WORST_DICE = 0.6


@dataclass(frozen=True)
class Place:
    """Where a lesion lies. Both are None if the current CT does not cover it.

    Attributes:
        lung: "right" or "left".
        zone: "upper", "middle" or "lower", see `quantification.zones`.
    """

    lung: str | None = None
    zone: str | None = None


@dataclass(frozen=True)
class FollowUp:
    """A CT compared with an earlier CT of the same patient. All arrays are on the grid of the current CT.

    Attributes:
        current: The current CT.
        prior: The earlier CT.
        days: Days between them; None if they are not known.
        registration: How the lungs correspond.
        prior_volume: The prior CT, registered.
        prior_lungs: uint8 (z, y, x): the registered lungs of the prior CT, 1 right and 2 left.
        comparison: What became of each lesion.
        places: Where each of `comparison.lesions` lies.
        regions: Lungs and zones in both CTs.
        covered_percent: Share of the current lungs that the prior CT shows.
        warnings: Sentences for the user.
    """

    current: TimePoint
    prior: TimePoint
    days: int | None
    registration: Registration
    prior_volume: Volume
    prior_lungs: np.ndarray
    comparison: Comparison
    places: tuple[Place, ...]
    regions: tuple[RegionChange, ...]
    covered_percent: float
    warnings: tuple[str, ...]


def follow_up(
    current: TimePoint, prior: TimePoint, *, days: int | None = None, progress: Progress = silent
) -> FollowUp:
    """Compare a CT with an earlier CT of the same patient.

    Args:
        current: The current CT.
        prior: The earlier CT, on any grid.
        days: Days between the CTs, for CTs without dates. Takes precedence over the dates.
        progress: Receives the stage and the fraction done; may raise `Cancelled`.

    Raises:
        InputError: The CTs are the same, the earlier one is the later one, one of them has no lungs, or the lungs do
            not correspond.
    """
    days = _checked_days(current, prior, days)
    registration = register_lungs(
        current.volume,
        current.segmentation.lungs,
        prior.volume,
        prior.segmentation.lungs,
        subprogress(progress, 0.0, 0.6),
    )
    if registration.lung_dice < WORST_DICE:
        raise InputError(
            f"The lungs of the two CTs do not correspond (Dice {registration.lung_dice:.2f}). Check that both are of "
            "the same patient and show the whole lungs."
        )
    progress("Comparing the lesions", 0.6)
    grid, transform = current.volume.grid, sampled(registration.transform, current.volume.grid)
    now, now_ml = lesion_components(current.segmentation.lungs, current.segmentation.infection, grid.voxel_ml)
    before, before_ml, prior_lungs, covered = _registered_lesions(prior, grid, transform)
    progress("Comparing the lesions", 0.75)
    lungs = current.segmentation.lungs > 0
    covered_percent = 100 * float(np.count_nonzero(covered & lungs)) / float(np.count_nonzero(lungs))
    comparison = compare_lesions(now, now_ml, before, before_ml, grid, covered)
    del now, before, covered, lungs
    progress("Resampling the earlier CT", 0.9)
    return FollowUp(
        current,
        prior,
        days,
        registration,
        resample_volume(prior.volume, grid, transform),
        prior_lungs,
        comparison,
        _places(comparison.lesions, current, prior_lungs),
        region_changes(current, prior, transform),
        covered_percent,
        tuple(cautions(current, prior, days, registration, covered_percent)),
    )


def _registered_lesions(
    prior: TimePoint, grid: Grid, transform: sitk.Transform
) -> tuple[np.ndarray, dict[int, float], np.ndarray, np.ndarray]:
    """Resample the masks of the prior CT at once.

    Returns:
        On the grid of the current CT: the components of the infection, the lungs, and where the prior CT has voxels;
        with the volume of each component in its own CT.
    """
    lungs, own = prior.segmentation.lungs, prior.volume.grid
    components, volumes = lesion_components(lungs, prior.segmentation.infection, own.voxel_ml)
    packed = resample_labels(components << 3 | lungs.astype(np.int32) << 1 | 1, own, grid, transform)
    return packed >> 3, volumes, (packed >> 1 & 3).astype(np.uint8), packed > 0


def _checked_days(current: TimePoint, prior: TimePoint, days: int | None) -> int | None:
    """Return the days between two CTs that can be compared."""
    if current.fingerprint == prior.fingerprint:
        raise InputError("Both CTs are the same. Choose an earlier CT to compare with.")
    for name, point in (("current", current), ("earlier", prior)):
        if not point.segmentation.lungs.any():
            raise InputError(f"The {name} CT has no lungs that could be compared. Check its lung masks.")
    if days is not None:
        return days
    if current.date is None or prior.date is None:
        return None
    days = (current.date - prior.date).days
    if days < 0:
        raise InputError(
            f"The CT that is given as the earlier one was made {-days} days after the other. Exchange them, or state "
            "the days between them if the dates are wrong."
        )
    return days


def _places(lesions: tuple[LesionChange, ...], current: TimePoint, prior_lungs: np.ndarray) -> tuple[Place, ...]:
    """Return lung and zone of each lesion, at the point inside it, in the lungs of the current CT."""
    grid, lungs = current.volume.grid, current.segmentation.lungs
    whole = tuple(slice(0, size) for size in grid.shape)
    limits = zone_limits(lungs, heights(grid, whole))  # type: ignore[arg-type]
    to_voxel = np.linalg.inv(grid.affine_lps)
    places = []
    for lesion in lesions:
        if lesion.inside_lps_mm is None:
            places.append(Place())
            continue
        x, y, z = (int(i) for i in np.rint(to_voxel @ (*lesion.inside_lps_mm, 1))[:3])
        # A resolved lesion may lie a little outside the current lungs.
        side = np.array([lungs[z, y, x] or prior_lungs[z, y, x]])
        code = int(zone_codes(side, np.array([lesion.inside_lps_mm[2]]), limits)[0])
        places.append(Place(("right", "left")[(code - 1) // 3], ZONES[(code - 1) % 3]) if code else Place())
    return tuple(places)
