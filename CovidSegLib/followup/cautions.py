"""What a reader should know before trusting a comparison."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .registration import Registration
from .time_point import TimePoint

#: Below this Dice of the lungs, the picture of the fit should be looked at.
POOR_DICE = 0.9
#: Below this share of the current lungs, the prior CT misses a part.
COVERED_PERCENT = 95.0
#: Lungs that differ more than this in volume were scanned at another depth of breathing.
VOLUME_PERCENT = 20.0
#: Slices that differ more than this by a factor.
SLICE_FACTOR = 2.5


def cautions(
    current: TimePoint, prior: TimePoint, days: int | None, registration: Registration, covered_percent: float
) -> Iterator[str]:
    """Yield sentences for the user about two CTs that were compared.

    Args:
        current: The current CT.
        prior: The earlier CT.
        days: Days between them.
        registration: How the lungs correspond.
        covered_percent: Share of the current lungs that the prior CT shows.
    """
    if registration.lung_dice < POOR_DICE:
        yield (
            f"The lungs of the two CTs fit only roughly (Dice {registration.lung_dice:.2f}). Look at the picture of "
            "the fit before you rely on the list of lesions."
        )
    if covered_percent < COVERED_PERCENT:
        yield (
            f"The earlier CT shows only {covered_percent:.0f} % of the current lungs. Lesions elsewhere are listed as "
            "not covered."
        )
    volumes = [point.regions[2].volume_ml for point in (current, prior)]
    difference = 100 * (volumes[0] - volumes[1]) / volumes[1]
    if abs(difference) > VOLUME_PERCENT:
        yield (
            f"The current lungs have {abs(difference):.0f} % {'more' if difference > 0 else 'less'} volume than the "
            "earlier ones. Breathing changes the density of the lungs and the share of infection."
        )
    yield from _acquisition(current, prior)
    yield from _models(current, prior)
    if days == 0:
        yield "Both CTs were made on the same day."
    elif days is None:
        yield "The time between the CTs is not known."


def _acquisition(current: TimePoint, prior: TimePoint) -> Iterator[str]:
    """Compare how the CTs were reconstructed."""
    slices = [point.volume.source.get("slice_thickness_mm") for point in (current, prior)]
    thick = [value or point.volume.grid.spacing.z for value, point in zip(slices, (current, prior), strict=True)]
    if max(thick) > SLICE_FACTOR * min(thick):
        yield (
            f"The slices of the CTs differ: {thick[0]:.1f} mm now and {thick[1]:.1f} mm before. Small lesions are "
            "blurred in thick slices."
        )
    kernels = [point.volume.source.get("kernel") for point in (current, prior)]
    if all(kernels) and kernels[0] != kernels[1]:
        yield (
            f"The CTs were reconstructed with different kernels, {kernels[0]} now and {kernels[1]} before, which "
            "changes the density of what is small."
        )


def _models(current: TimePoint, prior: TimePoint) -> Iterator[str]:
    """Compare how the masks were made."""
    provenances: list[dict[str, Any]] = [point.segmentation.provenance for point in (current, prior)]
    models = [provenance.get("model") or {} for provenance in provenances]
    if all(models) and models[0].get("sha256") != models[1].get("sha256"):
        yield (
            f"The CTs were segmented with different models, {models[0].get('name')} now and {models[1].get('name')} "
            "before. Part of the difference may come from that."
        )
    thresholds = [(provenance.get("settings") or {}).get("threshold") for provenance in provenances]
    if None not in thresholds and thresholds[0] != thresholds[1]:
        yield (
            f"The infection was cut at different thresholds, {thresholds[0]:g} now and {thresholds[1]:g} before. Part "
            "of the difference may come from that."
        )
    edited = [
        name for name, provenance in zip(("current", "earlier"), provenances, strict=True) if provenance.get("edited")
    ]
    if len(edited) == 1:
        yield f"The masks of the {edited[0]} CT were edited by hand, those of the other were not."
