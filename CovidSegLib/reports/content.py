"""What a report says: numbers, lesions, edits, model and versions, ready to be laid out as HTML and as PDF."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .. import __version__
from ..masks import bounding_box
from ..models import installed
from ..models.accuracy import NOT_MEASURED, accuracy_of
from ..printable import printable
from ..quantification import quantify
from ..quantification.live import LiveCounts
from ..quantification.numbers import numbers_of
from ..quantification.severity import Severity
from ..quantification.zones import height_of, zone_of
from ..segmentation import LEFT_LUNG, RIGHT_LUNG, Segmentation
from ..volume import Grid, Volume
from .edits import edits_of
from .review import Edits, Reader, Review
from .rows import REJECTED, Region, ReportLesion, regions_of
from .series import Series

SYNTHETIC = "SYNTHETIC PHANTOM - not a patient"


@dataclass(frozen=True)
class ReportContent:
    """Everything that a report says in words and numbers.

    Attributes:
        regions: Right lung, left lung, both lungs, and the zones or lobes.
        severity: The severity score with its definition.
        lesions: The lesions that are part of the infection, largest first.
        rejected: The lesions that a person has rejected, largest first.
        smaller: Number and total volume in ml of infected areas that are too small to be listed; None if not counted.
        smallest_ml: Volume from which a lesion is listed.
        edits: How the masks differ from the model's; None if that is not known.
        threshold: The probability at which the infection was cut; None if it is not known.
        facts: Facts on model, threshold, versions and CT: pairs of a name and a value.
        accuracy: Sentences on the measured accuracy of the model.
        warnings: Sentences.
        banner: What must not be overlooked, such as that the CT is synthetic; or empty.
        reader: Fields that the reader fills in.
        created: When the report was made.
    """

    regions: tuple[Region, ...]
    severity: Severity
    lesions: tuple[ReportLesion, ...]
    rejected: tuple[ReportLesion, ...]
    smaller: tuple[int, float] | None
    smallest_ml: float
    edits: Edits | None
    threshold: float | None
    facts: tuple[tuple[str, str], ...]
    accuracy: tuple[str, ...]
    warnings: tuple[str, ...]
    banner: str
    reader: Reader
    created: str

    @property
    def both(self) -> Region:
        """The numbers of both lungs."""
        return next(region for region in self.regions if region.name == "both lungs")


def content_of(
    volume: Volume, segmentation: Segmentation, review: Review | None = None, original: Segmentation | None = None
) -> ReportContent:
    """Collect what a report says.

    Args:
        volume: The CT.
        segmentation: Its present masks.
        review: What a person did with the result; None if nobody has reviewed it.
        original: The model's masks, with which to compare the present ones.
    """
    review = review or Review()
    measured = quantify(volume, segmentation)
    regions, severity = _numbers(volume, segmentation, review)
    lesions = _lesions(measured, segmentation, review)
    smaller = measured["lesions"]["smaller"]
    edits = review.edits or (edits_of(segmentation, original) if original else None)
    return ReportContent(
        regions=regions,
        severity=severity,
        lesions=tuple(lesion for lesion in lesions if lesion.state != REJECTED),
        rejected=tuple(lesion for lesion in lesions if lesion.state == REJECTED),
        smaller=(smaller["count"], smaller["volume_ml"]),
        smallest_ml=measured["lesions"]["smallest_counted_ml"],
        edits=edits,
        threshold=_used_threshold(segmentation.provenance, review.threshold),
        facts=(*_facts(segmentation.provenance, review.threshold), *_series(review.series), ("CT", _ct(volume))),
        accuracy=_accuracy(segmentation.provenance),
        warnings=tuple(printable(text) for text in measured["warnings"]),
        banner=_banner(volume, segmentation.provenance),
        reader=review.reader,
        created=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
    )


def _numbers(volume: Volume, segmentation: Segmentation, review: Review) -> tuple[tuple[Region, ...], Severity]:
    if review.regions is not None and review.severity is not None:
        return tuple(Region(**region) for region in review.regions), Severity(**review.severity)
    box = bounding_box(segmentation.lungs) or (slice(0, 1), slice(0, 1), slice(0, 1))
    live = LiveCounts(volume.array, volume.grid)
    numbers = numbers_of(live.update(box, segmentation.lungs[box], segmentation.infection[box]))
    return regions_of(numbers), numbers.severity


def _lesions(measured: Mapping[str, Any], segmentation: Segmentation, review: Review) -> list[ReportLesion]:
    """Return the lesions, largest first."""
    if review.lesions is not None:
        lesions = [ReportLesion(**lesion) for lesion in review.lesions]
    else:
        heights = {
            side: height_of(segmentation.lungs == label, segmentation.grid)
            for side, label in (("right", RIGHT_LUNG), ("left", LEFT_LUNG))
        }
        lesions = [
            ReportLesion(
                lesion["number"],
                lesion["lung"],
                _zone(lesion["centre_ras_mm"][2], heights[lesion["lung"]]),
                lesion["volume_ml"],
                lesion["mean_hu"],
                inside_ras_mm=tuple(lesion["inside_ras_mm"]),
            )
            for lesion in measured["lesions"]["list"]
        ]
    return sorted(lesions, key=lambda lesion: -lesion.volume_ml)


def _zone(position: float, height: tuple[float, float] | None) -> str | None:
    return zone_of(position, height) if height else None


def _facts(provenance: Mapping[str, Any], threshold: float | None) -> tuple[tuple[str, str], ...]:
    """Return the facts on model and threshold."""
    model = _mapping(provenance.get("model"))
    usual = _mapping(provenance.get("settings")).get("infection_threshold")
    used = _used_threshold(provenance, threshold)
    facts = [("Model", _joined(model.get("title"), model.get("name")))]
    facts += [("SHA-256 of the weights", printable(str(model["sha256"])))] if model.get("sha256") else []
    facts += [("Licence of the weights", printable(str(model["licence"])))] if model.get("licence") else []
    if used is not None:
        changed = "" if threshold is None or usual is None or threshold == usual else f" (the model's is {usual:g})"
        facts.append(("Threshold of the probability", f"{used:g}{changed}"))
    if created := provenance.get("created"):
        facts.append(("Segmented", printable(str(created))))
    versions = {"report": __version__, **_mapping(provenance.get("versions"))}
    facts.append(("Versions", printable(", ".join(f"{name} {version}" for name, version in versions.items()))))
    return tuple(facts)


def _used_threshold(provenance: Mapping[str, Any], threshold: float | None) -> float | None:
    return _mapping(provenance.get("settings")).get("infection_threshold") if threshold is None else threshold


def _joined(title: Any, name: Any) -> str:
    stated = [printable(str(text)) for text in (title, name) if text]
    return f"{stated[0]} ({stated[1]})" if len(stated) == 2 else stated[0] if stated else "not stated"


def _accuracy(provenance: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the measured accuracy of the model, if the model with these weights is installed."""
    model = _mapping(provenance.get("model"))
    if model.get("trained") is False:
        return accuracy_of({"sha256": None})
    cards = [candidate.card for candidate in installed() if candidate.card["sha256"] == model.get("sha256")]
    return tuple(printable(text) for text in accuracy_of(cards[0])) if cards else (NOT_MEASURED,)


def _series(series: Series | None) -> tuple[tuple[str, str], ...]:
    if series is None:
        return ()
    parts = [series.title, f"UID {series.uid}" if series.uid else ""]
    return (("DICOM series", "; ".join(part for part in parts if part)),) if any(parts) else ()


def _ct(volume: Volume) -> str:
    facts = [
        f"{name.replace('_', ' ').replace('uid', 'UID')} {printable(str(value))}"
        for name, value in volume.source.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    ]
    return "; ".join([_size(volume.grid), *facts])


def _size(grid: Grid) -> str:
    z, y, x = grid.shape
    return f"{x} x {y} x {z} voxels of {' x '.join(f'{step:.3g}' for step in grid.spacing)} mm"


def _banner(volume: Volume, provenance: Mapping[str, Any]) -> str:
    synthetic = any("synthetic" in str(value).lower() for value in volume.source.values())
    untrained = _mapping(provenance.get("model")).get("trained") is False
    return "    ".join([SYNTHETIC] * synthetic + ["UNTRAINED - the masks mean nothing"] * untrained)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
