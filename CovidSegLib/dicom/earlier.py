"""Keep the tracking identifiers that lungs, zones and lesions had in an earlier examination of the patient."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from highdicom.seg import Segmentation, segread
from pydicom.errors import InvalidDicomError

from ..errors import InputError
from ..followup import compare_lesions, register_lungs, resample_labels
from ..outputs import FILES as RESULT_FILES
from ..progress import Progress, silent
from .export import FILES
from .regions import STRUCTURES, Regions, regions_of
from .result import Result, read_result
from .source import Source
from .tracking import Tracking

_NUMBER = re.compile(r"Lesion (\d+)")


@dataclass(frozen=True)
class EarlierExport:
    """The segmentations of an earlier export.

    Attributes:
        tracking: Identifiers of structures and zones by the label of the segment.
        lungs: uint8 (z, y, x) on the grid of the earlier CT: 0 outside, 1 inside the lungs.
        lesions: uint16 (z, y, x): number of the segment of the lesion, 0 outside.
        lesion_tracking: Identifiers of the lesions by the number of the segment.
    """

    tracking: dict[str, Tracking]
    lungs: np.ndarray
    lesions: np.ndarray
    lesion_tracking: dict[int, Tracking]


def tracking_from(
    folder: Path, earlier: Source, source: Source, result: Result, regions: Regions, progress: Progress = silent
) -> dict[str, Tracking]:
    """Return the identifiers that regions of a result had in an earlier examination.

    The lungs of both CTs are registered. A lesion keeps the identifiers of the earlier lesion that it overlaps with; if
    lesions have merged or split, the largest part keeps those of the largest. Lesions that are new get the numbers
    after the last one.

    Args:
        folder: Export of the earlier examination, or its result.
        earlier: Its CT.
        source: The CT.
        result: The result.
        regions: Its regions, with any identifiers.
        progress: Receives the step and the fraction done.

    Raises:
        InputError: The folder holds no export and no result of the earlier CT, or the CTs show different patients.
    """
    if not source.patient_id or earlier.patient_id != source.patient_id:
        raise InputError(
            "The earlier CT does not have the patient ID of this one, so lesions are not followed. Name an earlier CT "
            "of the same patient."
        )
    export = read_earlier(folder, earlier)
    kept = {
        region.key: export.tracking[region.label]
        for region in (*regions.structures, *regions.zones)
        if region.label in export.tracking
    }
    return kept | _lesions(export, earlier, source, result, regions, progress)


def read_earlier(folder: Path, earlier: Source) -> EarlierExport:
    """Read the masks and the identifiers of an earlier examination.

    Args:
        folder: Its export, or the folder with its result. An export of that result has the same identifiers.
        earlier: Its CT.

    Raises:
        InputError: The folder holds neither, or it belongs to another CT.
    """
    if not (folder / FILES["structures"]).is_file() and (folder / RESULT_FILES["segmentation"]).is_file():
        return _of_result(read_result(folder, earlier), earlier)
    structures = _read(folder / FILES["structures"], earlier)
    zones, lesions = (
        _read(folder / FILES[name], earlier) if (folder / FILES[name]).is_file() else None
        for name in ("zones", "lesions")
    )
    tracking = {
        str(item.SegmentLabel): Tracking(str(item.TrackingID), str(item.TrackingUID))
        for data in (structures, zones)
        if data is not None
        for item in data.SegmentSequence
    }
    numbers = {str(item.SegmentLabel): int(item.SegmentNumber) for item in structures.SegmentSequence}
    lungs = [numbers[region.label] for region in STRUCTURES[:2] if region.label in numbers]
    segments = [] if lesions is None else list(lesions.SegmentSequence)
    return EarlierExport(
        tracking,
        (_labels(structures, earlier, lungs) > 0).astype(np.uint8),
        np.zeros(earlier.volume.grid.shape, np.uint16)
        if lesions is None
        else _labels(lesions, earlier, [int(item.SegmentNumber) for item in segments]),
        {int(item.SegmentNumber): Tracking(str(item.TrackingID), str(item.TrackingUID)) for item in segments},
    )


def _of_result(result: Result, earlier: Source) -> EarlierExport:
    regions = regions_of(earlier, result)
    return EarlierExport(
        {region.label: region.tracking for region in (*regions.structures, *regions.zones)},
        (result.segmentation.lungs > 0).astype(np.uint8),
        regions.lesion_labels,
        {number: region.tracking for number, region in enumerate(regions.lesions, start=1)},
    )


def _read(path: Path, earlier: Source) -> Segmentation:
    try:
        data = segread(path)
    except (OSError, InvalidDicomError, ValueError, AttributeError) as error:
        raise InputError(
            f'"{path}" is not a segmentation that CovidSeg has exported. Name the folder of an earlier export.'
        ) from error
    (referenced,) = {str(item.SeriesInstanceUID) for item in data.ReferencedSeriesSequence}
    if referenced != earlier.series_uid:
        raise InputError(f'"{path}" was exported for another CT than the earlier one. Name the CT that belongs to it.')
    return data


def _labels(data: Segmentation, earlier: Source, numbers: list[int]) -> np.ndarray:
    """Return segments as labels (z, y, x) on the grid of the earlier CT."""
    options: dict[str, Any] = {"segment_numbers": numbers, "combine_segments": True, "skip_overlap_checks": True}
    if len(earlier.datasets) == 1 and len(earlier.frames) > 1:
        frames = list(range(1, len(earlier.frames) + 1))
        array = data.get_pixels_by_source_frame(
            str(earlier.datasets[0].SOPInstanceUID), frames, assert_missing_frames_are_empty=True, **options
        )
        ordered = np.empty_like(array)
        ordered[earlier.frames] = array
        return ordered.astype(np.uint16)
    uids = [str(item.SOPInstanceUID) for item in earlier.datasets]
    array = data.get_pixels_by_source_instance(uids, assert_missing_frames_are_empty=True, **options)
    return array.astype(np.uint16)


def _lesions(
    export: EarlierExport, earlier: Source, source: Source, result: Result, regions: Regions, progress: Progress
) -> dict[str, Tracking]:
    if not regions.lesions or not export.lungs.any() or not result.segmentation.lungs.any():
        return {}
    registration = register_lungs(source.volume, result.segmentation.lungs, earlier.volume, export.lungs, progress)
    grid = source.volume.grid
    moved = resample_labels(export.lesions, earlier.volume.grid, grid, registration.transform)
    present_ml = _volumes(regions.lesion_labels, range(1, len(regions.lesions) + 1), grid.voxel_ml)
    prior_ml = _volumes(export.lesions, export.lesion_tracking, earlier.volume.grid.voxel_ml)
    current = regions.lesion_labels.astype(np.int32)
    comparison = compare_lesions(current, present_ml, moved.astype(np.int32), prior_ml, grid)
    kept: dict[str, Tracking] = {}
    for change in comparison.lesions:
        if change.current and change.prior:
            largest = max(change.current, key=present_ml.__getitem__)
            kept[regions.lesions[largest - 1].key] = export.lesion_tracking[max(change.prior, key=prior_ml.__getitem__)]
    found = (_NUMBER.fullmatch(tracking.identifier) for tracking in export.lesion_tracking.values())
    following = 1 + max((int(match[1]) for match in found if match), default=0)
    for region in regions.lesions:
        if region.key not in kept:
            kept[region.key] = Tracking(f"Lesion {following}", region.tracking.uid)
            following += 1
    return kept


def _volumes(labels: np.ndarray, numbers: Iterable[int], voxel_ml: float) -> dict[int, float]:
    """Return the volume of each label in ml."""
    numbers = list(numbers)
    voxels = np.bincount(labels.ravel(), minlength=1 + max(numbers, default=0))
    return {number: float(voxels[number]) * voxel_ml for number in numbers}
