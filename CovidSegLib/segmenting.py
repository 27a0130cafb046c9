"""Segment one CT and write all of its results: what `covidseg segment` and `covidseg batch` share.

What takes seconds to import is imported late, so that unusable input is reported before.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .errors import InputError
from .progress import Progress, silent, subprogress
from .storage.claim import claimed_folder

if TYPE_CHECKING:
    from . import segmentation, volume
    from .dicom.source import Source
    from .models import Model
    from .segmentation import Segmentation
    from .volume import Volume

#: Folder of the DICOM objects inside a result folder.
DICOM_FOLDER = "dicom"
#: The PDF report of a result folder.
PDF = "report.pdf"


@dataclass(frozen=True)
class SegmentOptions:
    """How to segment a CT, and which results to write.

    Attributes:
        device, engine, threshold: As in `pipeline.segment`.
        skip, surfaces: As in `outputs.write_results`.
        window: HU of 0 and 255 in an 8-bit image.
        dicom: Also write DICOM objects to `DICOM_FOLDER`; the CT must be DICOM.
        labelmap: Write lungs and infection as a DICOM label map.
        report, viewer: Also write the report, or the viewer.
        anonymous: Leave the UID of the DICOM series out of the report.
        overwrite: Replace earlier results.
    """

    device: str = "auto"
    engine: str = "auto"
    threshold: float | None = None
    skip: tuple[str, ...] = ()
    surfaces: Literal["structures", "segments"] = "structures"
    window: tuple[float, float] | None = None
    dicom: bool = False
    labelmap: bool = False
    report: bool = False
    viewer: bool = False
    anonymous: bool = False
    overwrite: bool = False

    def check(self) -> None:
        """Check that the options fit together.

        Raises:
            InputError: They do not.
        """
        if self.labelmap and not self.dicom:
            raise InputError("--labelmap is for DICOM segmentations: give --dicom with it.")
        if self.window and self.dicom:
            raise InputError("--window is for images without Hounsfield units, from which no DICOM objects are made.")


@dataclass(frozen=True)
class SegmentedScan:
    """A CT that was segmented, and its files."""

    volume: volume.Volume
    segmentation: segmentation.Segmentation
    files: tuple[Path, ...]


@dataclass(frozen=True)
class SegmentedTumours:
    """A CT whose lung tumours were segmented, and its files."""

    volume: volume.Volume
    segmentation: segmentation.TumourSegmentation
    files: tuple[Path, ...]


def segment_scan(
    scan: Path | Callable[[], volume.Volume],
    out: Path,
    find_model: Callable[[], Model],
    options: SegmentOptions,
    *,
    series: str | None = None,
    progress: Progress = silent,
    warn: Callable[[str], None] = lambda sentence: None,
    importing: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> SegmentedScan:
    """Segment one CT and write all results, or none.

    Args:
        scan: Path of the CT, or what makes one.
        out: Folder for the results, which no other run may write to meanwhile.
        find_model: Returns the model. Called once the folder is known to be writable.
        options: How to segment, and what to write.
        series: The DICOM series, as in `read_volume`.
        progress: Receives the stage and the fraction done. May raise `Cancelled`.
        warn: Receives sentences about the result, before it is written.
        importing: Context in which libraries are imported that take seconds.

    Raises:
        InputError: The CT, the model or the folder cannot be used.
        Cancelled: Raised by `progress`.
    """
    options.check()
    with claimed_folder(out), quiet_headers():
        with importing():
            from . import outputs

        outputs.prepare(out, overwrite=options.overwrite)
        model = find_model()
        progress("Reading the CT", 0.02)
        source = None
        if options.dicom and isinstance(scan, Path):
            source = _read_source(scan, series, out, options, importing)
        volume = source.volume if source else _read_volume(scan, series, options)
        volume = volume.without_identifiers() if options.anonymous else volume
        progress("Preparing the segmentation", 0.06)
        with importing():
            from .pipeline import segment

        segmentation = segment(
            volume,
            model,
            device=options.device,
            engine=options.engine,
            threshold=options.threshold,
            progress=subprogress(progress, 0.1, 0.75),
        )
        for warning in dict.fromkeys(segmentation.warnings):
            warn(warning)
        files = outputs.write_results(
            out,
            volume,
            segmentation,
            skip=options.skip,
            surfaces=options.surfaces,
            overwrite=options.overwrite,
            progress=subprogress(progress, 0.75, 0.85 if source or options.report or options.viewer else 1.0),
        )
        if options.report or options.viewer:
            files += _write_report(volume, segmentation, out, options, progress, importing)
        if source:  # after the report, which it includes
            files += _export(source, segmentation, out, options, progress)
    return SegmentedScan(volume, segmentation, tuple(files))


def segment_tumour_scan(
    scan: Path | Callable[[], volume.Volume],
    out: Path,
    find_model: Callable[[], Model],
    options: SegmentOptions,
    *,
    series: str | None = None,
    progress: Progress = silent,
    warn: Callable[[str], None] = lambda sentence: None,
    importing: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> SegmentedTumours:
    """Segment the lung tumours of one CT and write all results, or none.

    Arguments and errors are those of `segment_scan`. Only `device`, `engine`, `threshold`, `window`, `anonymous` and
    `overwrite` of the options apply; the other files describe infection.

    Raises:
        InputError: DICOM objects, a report or a viewer are asked for.
    """
    if options.dicom or options.labelmap or options.report or options.viewer:
        raise InputError(
            "DICOM objects, reports and viewers describe infection, and this model finds tumours: omit --dicom, "
            "--labelmap, --report and --viewer."
        )
    with claimed_folder(out), quiet_headers():
        with importing():
            from .outputs.tumour_files import prepare_tumours, write_tumours

        prepare_tumours(out, overwrite=options.overwrite)
        model = find_model()
        progress("Reading the CT", 0.02)
        volume = _read_volume(scan, series, options)
        volume = volume.without_identifiers() if options.anonymous else volume
        progress("Preparing the segmentation", 0.06)
        with importing():
            from .tumours import segment_tumours

        found = segment_tumours(
            volume,
            model,
            device=options.device,
            engine=options.engine,
            threshold=options.threshold,
            progress=subprogress(progress, 0.1, 0.9),
        )
        for warning in dict.fromkeys(found.warnings):
            warn(warning)
        progress("Saving the results", 0.95)
        files = write_tumours(out, volume, found, overwrite=options.overwrite)
    return SegmentedTumours(volume, found, tuple(files))


@contextmanager
def quiet_headers() -> Iterator[None]:
    """Keep pydicom from printing values of headers, such as names of patients, in its warnings."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pydicom|highdicom")
        yield


def _read_volume(scan: Path | Callable[[], Volume], series: str | None, options: SegmentOptions) -> Volume:
    if not isinstance(scan, Path):
        return scan()
    from .reading import read_volume

    return read_volume(scan, series=series, window=options.window)


def _read_source(
    scan: Path,
    series: str | None,
    out: Path,
    options: SegmentOptions,
    importing: Callable[[], AbstractContextManager[None]],
) -> Source:
    """Read the CT with what DICOM objects refer to, and check that they can be written: before the long computation."""
    with importing():
        from . import dicom

    dicom.prepare(out / DICOM_FOLDER, overwrite=options.overwrite)
    return dicom.read_source(scan, series)


def _write_report(
    volume: Volume,
    segmentation: Segmentation,
    out: Path,
    options: SegmentOptions,
    progress: Progress,
    importing: Callable[[], AbstractContextManager[None]],
) -> list[Path]:
    """Write report and viewer of masks that nobody has edited."""
    with importing():
        from .reports.files import write_report

    return write_report(
        out,
        volume,
        segmentation,
        original=segmentation,
        report=options.report,
        viewer=options.viewer,
        overwrite=options.overwrite,
        progress=subprogress(progress, 0.85, 0.92),
    )


def _export(
    source: Source, segmentation: Segmentation, out: Path, options: SegmentOptions, progress: Progress
) -> list[Path]:
    """Write the DICOM objects, with the PDF report if there is one."""
    from . import dicom

    pdf = out / PDF
    return dicom.export(
        out / DICOM_FOLDER,
        source,
        dicom.result_of(source.volume, segmentation),
        pdf=pdf if pdf.is_file() else None,
        labelmap=options.labelmap,
        overwrite=options.overwrite,
        progress=subprogress(progress, 0.92, 1.0),
    )
