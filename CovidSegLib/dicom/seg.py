"""DICOM Segmentation objects (PS3.3, section A.51): lungs and infection, zones and lesions."""

from __future__ import annotations

from collections.abc import Sequence

import highdicom as hd
import numpy as np
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from .equipment import contributing_equipment, equipment, segment_algorithm
from .modules import copy_patient_and_study
from .regions import Region, Regions
from .result import Result
from .source import Source
from .tracking import new_uid

#: Series numbers of the objects. Scanners number their series from 1.
STRUCTURES_SERIES, ZONES_SERIES, LESIONS_SERIES = 9001, 9002, 9003
#: Structures of a label map.
LABELMAP_KEYS = ("right_lung", "left_lung", "infection")


def structures_object(source: Source, result: Result, regions: Regions, *, labelmap: bool = False) -> Segmentation:
    """Return lungs, infection, ground glass and consolidation as a segmentation.

    Args:
        source: The CT.
        result: The result.
        regions: Its regions.
        labelmap: Return a label map segmentation, in which a voxel belongs to one segment only, in place of a binary
            one. It holds the lungs without the infection, and the infection, as `labels.nii.gz` does.
    """
    title = "Lungs and infection"
    if labelmap:
        chosen = [region for region in regions.structures if region.key in LABELMAP_KEYS]
        labels = np.zeros(source.volume.grid.shape, np.uint8)
        for number, region in enumerate(chosen, start=1):  # the infection is the last, and overrides the lungs
            labels[regions.masks[region.key]] = number
        return _segmentation(source, result, labels, chosen, STRUCTURES_SERIES, title, labelmap=True)
    masks = np.stack([regions.masks[region.key].view(np.uint8) for region in regions.structures], axis=-1)
    return _segmentation(source, result, masks, regions.structures, STRUCTURES_SERIES, title)


def zones_object(source: Source, result: Result, regions: Regions) -> Segmentation:
    """Return the zones of the lungs as a binary segmentation, one segment each."""
    return _segmentation(source, result, regions.zone_labels, regions.zones, ZONES_SERIES, "Zones of the lungs")


def lesions_object(source: Source, result: Result, regions: Regions) -> Segmentation:
    """Return the lesions as a binary segmentation, one segment each."""
    return _segmentation(source, result, regions.lesion_labels, regions.lesions, LESIONS_SERIES, "Lesions")


def _segmentation(
    source: Source,
    result: Result,
    array: np.ndarray,
    regions: Sequence[Region],
    number: int,
    title: str,
    *,
    labelmap: bool = False,
) -> Segmentation:
    """Return a segmentation of masks (z, y, x, segments), or of labels (z, y, x) that are numbers of segments."""
    data = Segmentation(
        source_images=source.references,
        pixel_array=source.in_file_order(array),
        segmentation_type=SegmentationTypeValues.LABELMAP if labelmap else SegmentationTypeValues.BINARY,
        segment_descriptions=[_description(index, region, result) for index, region in enumerate(regions, start=1)],
        series_instance_uid=new_uid(),
        series_number=number,
        sop_instance_uid=new_uid(),
        instance_number=1,
        **equipment(result.provenance),
        content_label="COVIDSEG",
        content_description=title,
        series_description=f"CovidSeg: {title}",
        transfer_syntax_uid=RLELossless if labelmap else ExplicitVRLittleEndian,
        contributing_equipment=contributing_equipment(result.provenance),
    )
    copy_patient_and_study(source, data)
    return data


def _description(number: int, region: Region, result: Result) -> SegmentDescription:
    edited = result.edited
    description = SegmentDescription(
        segment_number=number,
        segment_label=region.label,
        segmented_property_category=region.category,
        segmented_property_type=region.type,
        algorithm_type=SegmentAlgorithmTypeValues.SEMIAUTOMATIC if edited else SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=segment_algorithm(result.provenance),
        tracking_uid=region.tracking.uid,
        tracking_id=region.tracking.identifier,
        anatomic_regions=None if region.key.endswith(("lung", "zone")) else [region.site],
        display_color=hd.color.CIELabColor.from_rgb(*(round(255 * part) for part in region.color)),
    )
    if region.note:
        description.SegmentDescription = region.note
    if region.modifier is not None:
        (kind,) = description.SegmentedPropertyTypeCodeSequence
        kind.SegmentedPropertyTypeModifierCodeSequence = [hd.sr.CodedConcept.from_code(region.modifier)]
    return description
