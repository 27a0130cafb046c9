"""Export a result as DICOM objects for the study of its CT: all of them, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from highdicom.seg import Segmentation
from pydicom.dataset import Dataset

from ..progress import Progress, silent
from ..storage.staging import check_writable, staged_files
from .measures import measures_of
from .modules import set_implementation
from .pdf import encapsulated_pdf
from .regions import Region, regions_of
from .result import Result
from .seg import lesions_object, structures_object, zones_object
from .source import Source
from .sr import measurement_report
from .tracking import Tracking

#: Files of an export. The keys say what they are.
FILES = {
    "structures": "segmentation.dcm",
    "zones": "zones.dcm",
    "lesions": "lesions.dcm",
    "measurements": "measurements.dcm",
    "report": "report.dcm",
}


def prepare(out: Path, *, overwrite: bool = False) -> None:
    """Check before a long run that an export can be written. Nothing is left behind.

    Raises:
        InputError: The folder cannot be written, its disk is full, or it contains an earlier export.
    """
    check_writable(out, FILES.values(), overwrite=overwrite)


def export(
    out: Path,
    source: Source,
    result: Result,
    *,
    pdf: Path | None = None,
    labelmap: bool = False,
    tracking: Mapping[str, Tracking] | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> list[Path]:
    """Write the DICOM objects of a result to a folder, or none of them.

    Args:
        out: The folder. Created if it does not exist.
        source: The CT series.
        result: The result on its grid.
        pdf: A report to encapsulate, or None.
        labelmap: Write the lungs and the infection as a label map segmentation, which few programs can read yet.
        tracking: Identifiers to keep, by the key of the region; see `earlier.tracking_from`.
        overwrite: Replace an earlier export in `out`.
        progress: Receives the step and the fraction done; may raise `Cancelled`.

    Returns:
        The files that were written.

    Raises:
        InputError: The folder cannot be written, or the PDF cannot be used.
    """
    with staged_files(out, FILES.values(), overwrite=overwrite) as folder:
        progress("Making DICOM objects", 0.0)
        objects = objects_of(source, result, pdf=pdf, labelmap=labelmap, tracking=tracking, progress=progress)
        for name, data in objects.items():
            set_implementation(data)  # type: ignore[arg-type]
            data.save_as(folder / FILES[name], enforce_file_format=True)
        progress("Saving DICOM objects", 1.0)
    return [out / FILES[name] for name in objects]


def objects_of(
    source: Source,
    result: Result,
    *,
    pdf: Path | None = None,
    labelmap: bool = False,
    tracking: Mapping[str, Tracking] | None = None,
    progress: Progress = silent,
) -> dict[str, Dataset]:
    """Return the DICOM objects of a result by the keys of `FILES`. See `export`."""
    regions = regions_of(source, result, tracking)
    progress("Making DICOM objects", 0.1)
    objects: dict[str, Dataset] = {}
    shown: dict[str, tuple[Segmentation, int]] = {}
    if regions.structures:
        objects["structures"] = data = structures_object(source, result, regions, labelmap=labelmap)
        _note_segments(data, regions.structures, shown)
    progress("Making DICOM objects", 0.4)
    if regions.zones:
        objects["zones"] = data = zones_object(source, result, regions)
        _note_segments(data, regions.zones, shown)
    progress("Making DICOM objects", 0.6)
    if regions.lesions:
        objects["lesions"] = data = lesions_object(source, result, regions)
        _note_segments(data, regions.lesions, shown)
    progress("Making DICOM objects", 0.8)
    if shown:
        measures = measures_of(source, result, regions)
        objects["measurements"] = measurement_report(source, result, regions, measures, shown)
    if pdf is not None:
        objects["report"] = encapsulated_pdf(source, result, pdf)
    return objects


def _note_segments(data: Segmentation, regions: Sequence[Region], shown: dict[str, tuple[Segmentation, int]]) -> None:
    """Enter which segment shows each region. A label map segmentation shows some of them only."""
    numbers = {str(item.SegmentLabel): int(item.SegmentNumber) for item in data.SegmentSequence}
    for region in regions:
        if region.label in numbers:
            shown[region.key] = data, numbers[region.label]
