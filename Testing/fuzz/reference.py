"""Independent readers: pydicom, nibabel, pynrrd, and a small one for MetaImage."""

from __future__ import annotations

import gzip
import os
import re
import tempfile
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import nibabel
import nrrd
import numpy as np
import pydicom
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from CovidSegLib.volume import Volume

CT_CLASSES = (CTImageStorage, EnhancedCTImageStorage)
LPS_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
META_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}


class CannotRead(Exception):
    """The independent reader refuses the file or cannot decode it."""


@dataclass(frozen=True)
class Reference:
    """What an independent reader reads.

    Attributes:
        values: float64 values with their rescaling applied (z, y, x).
        affine: 4 x 4 matrix from (x, y, z, 1) to LPS in mm, or None if the reader does not tell.
    """

    values: np.ndarray
    affine: np.ndarray | None


def read_reference(path: Path, volume: Volume) -> Reference:
    """Read an input that was read as `volume`.

    Raises:
        CannotRead: The independent reader refuses it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind = volume.source["format"]
            return {"DICOM": _dicom, "NIfTI": _nifti, "NRRD": _nrrd, "MetaImage": _metaimage}[kind](path, volume)
    except CannotRead:
        raise
    except Exception as error:
        raise CannotRead(f"{type(error).__name__}: {error}"[:300]) from error


def difference(volume: Volume, reference: Reference) -> str:
    """What differs between a volume and its reference, or an empty text."""
    expected = reference.values
    if expected.shape != volume.array.shape:
        return f"shape {volume.array.shape} instead of {expected.shape}"
    if np.isfinite(expected).all():
        expected = np.clip(expected, -1024, 32767)
    if not np.allclose(volume.array, expected, rtol=1e-5, atol=1e-3, equal_nan=True):
        wrong = ~np.isclose(volume.array, expected, rtol=1e-5, atol=1e-3, equal_nan=True)
        first = tuple(map(int, np.argwhere(wrong)[0]))
        values = f"{volume.array[first]} instead of {expected[first]}"
        return f"{wrong.sum()} of {wrong.size} voxels, such as {values} at {first}"
    if reference.affine is None:
        return ""
    corners = np.array(
        [[x, y, z, 1] for z in (0, expected.shape[0]) for y in (0, expected.shape[1]) for x in (0, expected.shape[2])]
    )
    distance = np.abs((volume.grid.affine_lps - reference.affine) @ corners.T).max()
    return "" if distance < 0.5 else f"position: a corner is {distance:.3g} mm from where it should be"


def _dicom(path: Path, volume: Volume) -> Reference:
    files = [item for item in path.rglob("*") if item.is_file()] if path.is_dir() else list(path.parent.iterdir())
    groups: dict[tuple, list[tuple[np.ndarray, np.ndarray, pydicom.Dataset]]] = {}
    modalities: dict[tuple, set[str]] = {}
    for file in files:
        if (
            not file.is_file()
            or file.name.startswith(".")
            or any(p.startswith(".") for p in file.relative_to(path.parent).parts[1:])
        ):
            continue
        try:
            data = pydicom.dcmread(file, force=True)
        except Exception:
            continue
        if str(data.get("SeriesInstanceUID") or "") != volume.source["series_uid"] or "PixelData" not in data:
            continue
        key = (str(data.get("SOPClassUID") or ""), "LOCALIZER" in str(data.get("ImageType") or "").upper())
        groups.setdefault(key, []).extend(_dicom_slices(data))
        modalities.setdefault(key, set()).add(str(data.get("Modality") or ""))
    fitting = [slices for slices in groups.values() if len(slices) == len(volume.array)]
    if len(fitting) > 1:  # screenshots, scout views and other modalities may be in the same series
        fitting = [groups[key] for key in groups if key[0] in CT_CLASSES and not key[1] and modalities[key] == {"CT"}]
    if len(fitting) != 1:
        raise CannotRead(f"groups of {sorted(map(len, groups.values()))} slices, not {len(volume.array)}")
    (slices,) = fitting
    orientation = np.array([float(v) for v in _found(slices[0][2], "ImageOrientationPatient")])
    row, column = orientation[:3], orientation[3:]
    normal = np.cross(row, column)
    slices.sort(key=lambda item: float(item[0] @ normal))
    values = np.stack([item[1] for item in slices])
    spacing = [float(v) for v in _found(slices[0][2], "PixelSpacing")]
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = row * spacing[1], column * spacing[0]
    affine[:3, 2] = (slices[-1][0] - slices[0][0]) / (len(slices) - 1)
    affine[:3, 3] = slices[0][0]
    return Reference(values, affine)


def _dicom_slices(data: pydicom.Dataset) -> Iterator[tuple[np.ndarray, np.ndarray, pydicom.Dataset]]:
    if "TransferSyntaxUID" not in data.file_meta:
        implicit, little_endian = data.original_encoding
        explicit = ExplicitVRLittleEndian if little_endian else ExplicitVRBigEndian
        data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    data.add_new("PhotometricInterpretation", "CS", str(data.PhotometricInterpretation).strip(" \0"))
    pixels = data.pixel_array
    frames = data.get("PerFrameFunctionalGroupsSequence") or ()
    for index in range(len(frames) or 1):
        source = data
        if frames:
            source = pydicom.Dataset()
            for group in (*(data.get("SharedFunctionalGroupsSequence") or ()), frames[index]):
                for element in group:
                    if element.VR == "SQ" and element.value:
                        source.update(element.value[0])
            for keyword in (
                "ImageOrientationPatient",
                "PixelSpacing",
                "RescaleSlope",
                "RescaleIntercept",
                "ImagePositionPatient",
            ):
                if keyword not in source and keyword in data:
                    setattr(source, keyword, data.get(keyword))
        plane = pixels[index] if frames and pixels.ndim == 3 else pixels
        slope, intercept = source.get("RescaleSlope"), source.get("RescaleIntercept")
        scaled = plane.astype(np.float64)
        if slope is not None and intercept is not None:
            scaled = scaled * float(slope) + float(intercept)
        yield np.array([float(v) for v in _found(source, "ImagePositionPatient")]), scaled, source


def _found(data: pydicom.Dataset, keyword: str):
    value = data.get(keyword)
    if value is None:
        raise CannotRead(f"no {keyword}")
    return value


def _nifti(path: Path, volume: Volume) -> Reference:
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    content = content[:348] + b"\0" + content[349:]  # nibabel also refuses extensions whose text is not UTF-8
    with mock.patch.object(nibabel.Nifti1Header, "quaternion_threshold", 1e-3):  # it is as strict as rounding allows
        image = nibabel.Nifti1Image.from_bytes(content)
    values = np.asarray(image.get_fdata(dtype=np.float64))
    while values.ndim > 3 and values.shape[-1] == 1:
        values = values[..., 0]
    affine = LPS_RAS @ image.affine if image.header["sform_code"] > 0 or image.header["qform_code"] > 0 else None
    return Reference(values.T, affine)


def _nrrd(path: Path, volume: Volume) -> Reference:
    with tempfile.TemporaryDirectory() as folder:
        for item in path.parent.iterdir():
            if item != path and item.is_file():
                (Path(folder) / item.name).symlink_to(item)
        copy = Path(folder) / path.name
        copy.write_bytes(_with_plain_keys(path.read_bytes()))
        try:
            values, header = nrrd.read(os.fspath(copy), index_order="C")
        except nrrd.NRRDError as error:
            if "Size of the data" in str(error) and b"encoding: gz" in path.read_bytes()[:1000]:
                raise CannotRead("pynrrd does not read several gzip members") from error
            raise
    if values.dtype.kind not in "iuf":
        raise CannotRead(f"type {values.dtype}")
    directions, affine = header.get("space directions"), None
    space = str(header.get("space", "")).lower()
    if directions is not None and np.shape(directions) == (3, 3) and space:
        affine = np.eye(4)
        affine[:3, :3] = np.transpose(directions)
        affine[:3, 3] = header.get("space origin", (0, 0, 0))
        signs = {"left-posterior-superior": (1, 1), "lps": (1, 1), "right-anterior-superior": (-1, -1), "ras": (-1, -1)}
        signs.update({"left-anterior-superior": (1, -1), "las": (1, -1)})
        affine = np.diag([*signs[space], 1.0, 1.0]) @ affine if space in signs else None
    return Reference(values.astype(np.float64), affine)


def _with_plain_keys(content: bytes) -> bytes:
    """Write fields as only pynrrd demands it: in lower case, without more spaces, without keys that appear twice."""
    lines = re.split(rb"(?<=\n)", content)
    for index, line in enumerate(lines):
        if not line.strip():
            break
        key, colon, value = line.partition(b":")
        if value.startswith(b"="):
            lines[index] = b"# a key with a value\n"
        elif colon:
            key = key.strip().lower()
            lines[index] = (
                key
                + colon
                + b" "
                + (value.lower().strip() + b"\n" if key in (b"type", b"encoding", b"endian") else value).lstrip(b" ")
            )
    return b"".join(lines)


def _metaimage(path: Path, volume: Volume) -> Reference:
    """Read what https://itk.org/Wiki/ITK/MetaIO/Documentation describes, with the last of two fields of one name."""
    content = path.read_bytes()
    match = re.search(rb"^[ \t]*ElementDataFile[ \t]*=[ \t]*([^\n]*?)[ \t\r]*(\n|$)", content, re.MULTILINE)
    if not match:
        raise CannotRead("no ElementDataFile")
    fields: dict[str, str] = {}
    for line in content[: match.start()].decode("latin-1").split("\n"):
        key, equals, value = line.partition("=")
        if equals:
            fields[key.strip()] = value.strip()
    name = match.group(1)
    data = content[match.end() :] if name.upper() == b"LOCAL" else (path.parent / os.fsdecode(name)).read_bytes()
    big = _flag(fields, "BinaryDataByteOrderMSB") or _flag(fields, "ElementByteOrderMSB")
    dtype = np.dtype((">" if big else "<") + META_TYPES[fields["ElementType"]])
    shape = [int(size) for size in fields["DimSize"].split()]
    size = int(np.prod(shape)) * dtype.itemsize
    skip = int(fields.get("HeaderSize", 0))
    if _flag(fields, "CompressedData"):
        data = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(data)
    elif name.upper() != b"LOCAL":
        data = data[len(data) - size :] if skip < 0 else data[skip:]
    values = np.frombuffer(data[:size], dtype).reshape(shape[::-1]).astype(np.float64)
    return Reference(values, _metaimage_affine(fields))


def _flag(fields: dict[str, str], name: str) -> bool:
    return fields.get(name, "False").startswith(("T", "t", "1"))


def _metaimage_affine(fields: dict[str, str]) -> np.ndarray:
    def numbers(*names: str, default: str) -> np.ndarray:
        return np.array([float(part) for part in next((fields[n] for n in names if n in fields), default).split()])

    affine = np.eye(4)
    matrix = numbers("TransformMatrix", "Rotation", "Orientation", default="1 0 0 0 1 0 0 0 1").reshape(3, 3)
    affine[:3, :3] = matrix.T * numbers("ElementSpacing", "ElementSize", default="1 1 1")
    affine[:3, 3] = numbers("Offset", "Position", "Origin", default="0 0 0")
    return affine
