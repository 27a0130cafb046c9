"""Write small DICOM series, which are valid by default and which tests can corrupt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid
from pydicom.valuerep import format_number_as_ds

from CovidSegLib.volume import Grid

Edit = Callable[[FileDataset, int], object]


def blank(path: Path, sop_class: str = CTImageStorage) -> FileDataset:
    """Return a data set with a file header and the identifiers that every DICOM file has."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID = sop_class
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    data.PatientName = "Doe^Jane"
    data.PatientID = "SECRET-4711"
    data.PatientBirthDate = "19700101"
    data.StudyInstanceUID = generate_uid()
    return data


def save(data: FileDataset, path: Path) -> Path:
    """Write a data set, and adapt its file header to the SOP class."""
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, data, enforce_file_format=True)
    return path


def decimal(value: float) -> str:
    """Format a number with at most 16 characters, as DICOM requires."""
    return format_number_as_ds(float(value))


def write_series(
    folder: Path,
    hu: np.ndarray,
    grid: Grid | None = None,
    *,
    uid: str | None = None,
    number: int = 4,
    intercept: float = -1024,
    slope: float = 1,
    edit: Edit | None = None,
    name: str = "IM{:04d}",
) -> list[Path]:
    """Write Hounsfield units (z, y, x) as one CT image per slice, with file names in random order.

    Args:
        folder: Created if it does not exist.
        hu: Hounsfield units; (hu - intercept) / slope must fit into unsigned 16 bits.
        grid: The grid; one with voxels of 1 x 1 x 2 mm if None.
        uid: Series Instance UID; a new one if None.
        number: Series number.
        intercept: Rescale intercept.
        slope: Rescale slope.
        edit: Called with each data set and its slice index before it is written. Return False to omit the slice.
        name: Format of the file name, given a number.

    Returns:
        The files in the order of the slices of `hu`.
    """
    grid = grid or Grid(hu.shape, (1.0, 1.0, 2.0), (-10.0, -20.0, -30.0))
    uid = uid or generate_uid()
    affine = grid.affine_lps
    direction = np.reshape(grid.direction, (3, 3))
    order = np.random.default_rng(len(hu)).permutation(len(hu))
    files = []
    for index, plane in enumerate(hu):
        path = folder / name.format(order[index])
        data = blank(path)
        data.Modality = "CT"
        data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        data.SeriesInstanceUID = uid
        data.SeriesNumber = number
        data.SeriesDescription = "Thorax 2.0 B40f"
        data.ConvolutionKernel = "B40f"
        data.SliceThickness = f"{grid.spacing[2]:.6g}"
        data.Manufacturer = "ACME"
        data.ManufacturerModelName = "Scanner 1"
        data.InstanceNumber = index + 1
        data.ImagePositionPatient = [decimal(v) for v in (affine @ [0, 0, index, 1])[:3]]
        data.ImageOrientationPatient = [decimal(v) for v in (*direction[:, 0], *direction[:, 1])]
        data.PixelSpacing = [decimal(grid.spacing[1]), decimal(grid.spacing[0])]
        data.Rows, data.Columns = plane.shape
        data.SamplesPerPixel = 1
        data.PhotometricInterpretation = "MONOCHROME2"
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit = 15
        data.PixelRepresentation = 0
        data.RescaleIntercept = intercept
        data.RescaleSlope = slope
        data.PixelData = np.round((plane - intercept) / slope).astype("<u2").tobytes()
        if edit is None or edit(data, index) is not False:
            files.append(save(data, path))
    return files


def write_enhanced(path: Path, hu: np.ndarray, grid: Grid, order: list[int], *, vary_rescale: bool = False) -> Path:
    """Write Hounsfield units (z, y, x) as one enhanced CT file with its frames in the given order."""
    data = blank(path, EnhancedCTImageStorage)
    data.Modality, data.ImageType = "CT", ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    data.SeriesInstanceUID = generate_uid()
    data.NumberOfFrames, data.Rows, data.Columns = hu.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, 0
    affine, direction = grid.affine_lps, np.reshape(grid.direction, (3, 3))
    shared = Dataset()
    shared.PixelMeasuresSequence = [_item(PixelSpacing=[grid.spacing[1], grid.spacing[0]])]
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=[*direction[:, 0], *direction[:, 1]])]
    data.SharedFunctionalGroupsSequence = [shared]
    data.PerFrameFunctionalGroupsSequence = []
    for index in order:
        frame = Dataset()
        frame.PlanePositionSequence = [_item(ImagePositionPatient=list((affine @ [0, 0, index, 1])[:3]))]
        intercept = -1024 - (index if vary_rescale else 0)
        frame.PixelValueTransformationSequence = [_item(RescaleIntercept=intercept, RescaleSlope=1, RescaleType="HU")]
        data.PerFrameFunctionalGroupsSequence.append(frame)
    data.PixelData = (hu[order] + 1024).astype("<u2").tobytes()
    return save(data, path)


def _item(**values: object) -> Dataset:
    item = Dataset()
    for name, value in values.items():
        setattr(item, name, value)
    return item


def write_report(folder: Path) -> None:
    """Write a structured report without content."""
    data = blank(folder / "sr", "1.2.840.10008.5.1.4.1.1.88.67")
    data.Modality, data.SeriesInstanceUID = "SR", generate_uid()
    save(data, folder / "sr")
