"""Writes all files of a result: segments, label map, probabilities, surfaces, report and overview."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..progress import Progress, silent
from ..quantification import quantify
from ..segmentation import Segmentation
from ..storage.staging import check_writable, staged_files
from ..surfaces import segment_surfaces_of, surfaces_of
from ..volume import Volume
from .names import DERIVED, FILES, GROUPS, LUNG_SURFACES
from .report_files import write_csv, write_json
from .seg_nrrd import write_seg_nrrd
from .writing import write_image, write_surface

#: What `surfaces` can be: both lungs together and the infection, or each segment.
Surfaces = Literal["structures", "segments"]

#: Names of all files that a result may have.
_NAMES = (*FILES.values(), *LUNG_SURFACES.values(), *DERIVED.values())


def prepare(out: Path, *, overwrite: bool = False) -> None:
    """Check before a long run that its results can be written. Nothing is left behind.

    Args:
        out: Folder for the results. Need not exist.
        overwrite: Whether earlier results in `out` may be replaced.

    Raises:
        InputError: `out` is a file, cannot be created or written, its disk is full, or it contains earlier results.
    """
    check_writable(out, _NAMES, overwrite=overwrite)


def write_results(
    out: Path,
    volume: Volume,
    segmentation: Segmentation,
    *,
    skip: Collection[str] = (),
    surfaces: Surfaces = "structures",
    overwrite: bool = False,
    progress: Progress = silent,
) -> list[Path]:
    """Write all results to a folder, or none: after any exception the folder is as it was before.

    Args:
        out: Folder for the results. Created if it does not exist. Other files in it are not touched.
        volume: The CT.
        segmentation: Its segmentation.
        skip: Results not to write: "labels", "surfaces", "overview".
        surfaces: "structures" writes the surface of both lungs together and that of the infection; "segments" writes
            right lung, left lung and infection.
        overwrite: Replace earlier results in `out`, and remove those without a new version.
        progress: Receives the stage and the fraction done. May raise `Cancelled`.

    Returns:
        Paths of the written files. Empty masks have no surface; `files` in the report lists the files that exist.

    Raises:
        InputError: The folder cannot be written, its disk is full, or it contains earlier results.
        ValueError: CT and segmentation have different shapes, or `skip` contains an unknown name.
        Cancelled: Raised by `progress`.

    Example:
        >>> from CovidSegLib.phantom import make_phantom
        >>> from CovidSegLib.volume import Grid, GridSpacing
        >>> phantom = make_phantom(Grid((40, 60, 60), GridSpacing(6.0, 6.0, 8.0), (-180.0, -180.0, -160.0)))
        >>> probability = 255 * phantom.infection.astype(np.uint8)
        >>> segmentation = Segmentation(phantom.lungs, phantom.infection, probability, phantom.volume.grid)
        >>> paths = write_results(Path("results"), phantom.volume, segmentation, skip=["surfaces", "overview"])
        >>> [path.name for path in paths]  # doctest: +NORMALIZE_WHITESPACE
        ['segmentation.seg.nrrd', 'labels.nii.gz', 'infection_probability.nii.gz', 'report.json', 'report.csv']
    """
    if unknown := set(skip) - set(GROUPS):
        raise ValueError(f"cannot skip {sorted(unknown)}; choose from {sorted(GROUPS)}")
    with staged_files(out, _NAMES, overwrite=overwrite) as folder:
        report = _write_files(folder, volume, segmentation, skip, surfaces, progress)
        # The last opportunity to cancel.
        progress("Saving the results", 1.0)
    return [out / name for name in report["files"].values() if name is not None]


def _write_files(
    folder: Path,
    volume: Volume,
    segmentation: Segmentation,
    skip: Collection[str],
    kind: Surfaces,
    progress: Progress,
) -> dict[str, Any]:
    """Write the files to a folder, and return the report."""
    files = FILES | LUNG_SURFACES if kind == "segments" else FILES
    progress("Measuring", 0.0)
    report = quantify(volume, segmentation)
    # Images are compressed outside Python, on another processor than surfaces and overview.
    with ThreadPoolExecutor(1) as thread:
        saved = thread.submit(_write_images, folder, segmentation, labels="labels" not in skip)
        surfaces = None
        if "surfaces" not in skip:
            progress("Making the surfaces", 0.15)
            surfaces = segment_surfaces_of(segmentation) if kind == "segments" else surfaces_of(segmentation)
            for name, surface in surfaces.items():
                write_surface(folder / files[f"{name}_surface"], surface)

        absent = {key for group in skip for key in GROUPS[group]}
        absent |= {key for key in GROUPS["surfaces"] if key.removesuffix("_surface") not in (surfaces or {})}
        report["files"] = {key: None if key in absent else name for key, name in files.items()}
        progress("Saving the report", 0.5)
        write_json(folder / FILES["report"], report)
        write_csv(folder / FILES["table"], report)
        if "overview" not in skip:
            progress("Drawing the overview", 0.55)
            # Imported late because it loads matplotlib.
            from ..figures.overview import draw_overview

            draw_overview(folder / FILES["overview"], volume, segmentation, report, surfaces)
        progress("Saving the segmentation", 0.95)
        saved.result()
    return report


def _write_images(folder: Path, segmentation: Segmentation, *, labels: bool) -> None:
    """Write the segments, the probabilities and, if wanted, the label map."""
    write_seg_nrrd(folder / FILES["segmentation"], segmentation)
    if labels:
        write_image(folder / FILES["labels"], segmentation.grid.to_image(segmentation.labels))
    probability = segmentation.probability.astype(np.uint8, copy=False)
    write_image(folder / FILES["infection_probability"], segmentation.grid.to_image(probability))
