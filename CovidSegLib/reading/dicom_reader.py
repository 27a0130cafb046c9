"""Read a DICOM series as a volume."""

from __future__ import annotations

from typing import Any

from ..checks import check_geometry
from ..errors import InputError
from ..volume import Volume
from .dicom_geometry import arrange_slices
from .dicom_pixels import read_pixels
from .dicom_series import Series


def read_series(series: Series) -> Volume:
    """Read the Hounsfield units of a CT series.

    Returns:
        int16 HU, or float32 if the rescale slope or intercept is not a whole number, with shape (z, y, x) and z along
        the normal of the slices. The source describes the scanner and the reconstruction, not the patient. It lacks
        the series description, because people type patient names into it.

    Raises:
        InputError: The series is not a CT, its slices do not form a regular grid (see
            `dicom_geometry.arrange_slices`), or its pixels cannot be read.
    """
    header = series.header
    if series.unusable_content:
        raise InputError(f"The DICOM series contains {series.unusable_content}. Choose a chest CT.")
    grid, slices = arrange_slices(series.slices)
    check_geometry(grid)
    warnings = []
    if len({item.rescale is None for item in slices}) > 1:
        raise InputError("Some slices of the series lack the rescaling to HU, others have it. Export the series again.")
    if slices[0].rescale is None:
        warnings.append("The headers lack the rescaling to HU, so the stored values were used as HU. Check them.")
    if header.lossy:
        warnings.append("The CT was stored with lossy compression. Its HU may be inaccurate.")
    source: dict[str, Any] = {
        "format": "DICOM",
        "series_uid": header.series_uid,
        "modality": header.modality,
        "kernel": header.kernel,
        "slice_thickness_mm": header.thickness,
        "manufacturer": header.manufacturer,
        "model": header.model,
    }
    return Volume(read_pixels(grid, slices), grid, source, tuple(warnings))
