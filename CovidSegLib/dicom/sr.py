"""The structured report: the measurements of lungs, zones and lesions by template TID 1500 (PS3.16)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.seg import Segmentation
from highdicom.sr import (
    AlgorithmIdentification,
    EnhancedSR,
    FindingSite,
    Measurement,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
    ReferencedSegment,
    SourceSeriesForSegmentation,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom.sr.codedict import codes as dictionary

from . import codes
from .equipment import MANUFACTURER, contributing_equipment, equipment, observer, report_algorithm
from .measures import Measure
from .modules import copy_patient_and_study
from .regions import Region, Regions
from .result import Result
from .source import Source
from .tracking import new_uid

SERIES = 9004


def measurement_report(
    source: Source,
    result: Result,
    regions: Regions,
    measures: Mapping[str, Sequence[Measure]],
    segmentations: Mapping[str, tuple[Segmentation, int]],
) -> EnhancedSR:
    """Return the structured report.

    It is preliminary and not verified: nobody has signed it.

    Args:
        source: The CT.
        result: The result.
        regions: Its regions.
        measures: Numbers of the regions, by key.
        segmentations: The segmentation and the number of the segment in it that shows each region, by key.
    """
    algorithm = report_algorithm(result.provenance)
    series = SourceSeriesForSegmentation(source.series_uid)
    groups = [
        _group(region, measures[region.key], _reference(*segmentations[region.key], series), algorithm)
        for region in regions.all
        if region.key in segmentations
    ]
    content = MeasurementReport(
        observation_context=ObservationContext(
            observer_device_context=ObserverContext(
                observer_type=dictionary.DCM.Device,
                observer_identifying_attributes=observer(result.provenance),
            )
        ),
        procedure_reported=codes.CT_CHEST,
        imaging_measurements=groups,
        title=dictionary.DCM.ImagingMeasurementReport,
    )
    device = equipment(result.provenance)
    objects = {id(data): data for data, _ in segmentations.values()}
    report = EnhancedSR(
        evidence=[*source.references, *objects.values()],
        content=content[0],
        series_instance_uid=new_uid(),
        series_number=SERIES,
        sop_instance_uid=new_uid(),
        instance_number=1,
        is_complete=True,
        is_final=False,
        is_verified=False,
        coding_schemes=[
            CodingSchemeIdentificationItem(
                codes.PRIVATE_SCHEME, name=codes.PRIVATE_SCHEME_NAME, responsible_organization=MANUFACTURER
            )
        ],
        contributing_equipment=contributing_equipment(result.provenance),
        series_description="CovidSeg: Measurements",
        **device,
    )
    copy_patient_and_study(source, report)
    return report


def _reference(data: Segmentation, number: int, series: SourceSeriesForSegmentation) -> ReferencedSegment:
    return ReferencedSegment(data.SOPClassUID, data.SOPInstanceUID, number, source_series=series)


def _group(
    region: Region, measures: Sequence[Measure], segment: ReferencedSegment, algorithm: AlgorithmIdentification
) -> VolumetricROIMeasurementsAndQualitativeEvaluations:
    site = FindingSite(region.site, laterality=codes.SIDES.get(region.side))
    return VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(region.tracking.uid, region.tracking.identifier),
        referenced_segment=segment,
        finding_category=region.category,
        finding_type=region.type,
        finding_sites=[site],
        algorithm_id=algorithm,
        measurements=[
            Measurement(measure.concept, measure.value, measure.unit, derivation=measure.derivation)
            for measure in measures
        ],
    )
