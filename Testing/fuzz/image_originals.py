"""Small valid NIfTI, NRRD and MetaImage files."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from fuzz.original import GRID, OBLIQUE, SHAPE, Files, Original, chest_hu, stored


def _image(dtype: type = np.int16, grid=OBLIQUE) -> sitk.Image:
    hu = chest_hu().astype(dtype)
    return grid.to_image(hu + 0.25 if np.dtype(dtype).kind == "f" else hu)


def _written(scratch: Path, image: sitk.Image, name: str, compressed: bool) -> Files:
    folder = scratch / f"{name} {compressed} {image.GetPixelIDTypeAsString()}"
    folder.mkdir()
    sitk.WriteImage(image, str(folder / name), compressed)
    return stored(folder)


def nifti_originals(scratch: Path) -> Iterator[Original]:
    for dtype in (np.int16, np.int32, np.int64, np.float32, np.float64):
        files = _written(scratch, _image(dtype), "ct.nii", False)
        yield Original(f"nifti {dtype.__name__}", "nifti", files, b"ct.nii")
    (content,) = _written(scratch, _image(grid=GRID), "straight.nii", False).values()
    yield Original("nifti axial", "nifti", {b"ct.nii": content}, b"ct.nii")
    yield Original("nifti gz", "nifti", {b"ct.nii.gz": gzip.compress(content, mtime=0)}, b"ct.nii.gz")
    big = _big_endian_nifti(content)
    yield Original("nifti big endian", "nifti", {b"ct.nii": big}, b"ct.nii")
    for name, edit in (("scaled", _scaled), ("matrix", _without_quaternion), ("quaternion", _without_matrix)):
        yield Original(f"nifti {name}", "nifti", {b"ct.nii": edit(content)}, b"ct.nii")
    extension = struct.pack("<2i", 64, 6) + b"a comment".ljust(56, b"\0")
    extended = content[:108] + struct.pack("<f", 416) + content[112:348] + b"\1\0\0\0" + extension + content[352:]
    yield Original("nifti extension", "nifti", {b"ct.nii.gz": gzip.compress(extended, mtime=0)}, b"ct.nii.gz")


def _scaled(content: bytes) -> bytes:
    return content[:112] + struct.pack("<2f", 0.5, -100) + content[120:]


def _without_quaternion(content: bytes) -> bytes:
    return content[:252] + struct.pack("<2h", 0, 1) + content[256:]


def _without_matrix(content: bytes) -> bytes:
    return content[:252] + struct.pack("<2h", 1, 0) + content[256:]


def _big_endian_nifti(content: bytes) -> bytes:
    import nibabel

    image = nibabel.Nifti1Image.from_bytes(content)
    header = image.header.as_byteswapped()
    header["vox_offset"], header["scl_slope"], header["scl_inter"] = 352, 1, 0
    return header.binaryblock + content[348:352] + np.frombuffer(content[352:], "<i2").astype(">i2").tobytes()


def nrrd_originals(scratch: Path) -> Iterator[Original]:
    for dtype, compressed in ((np.int16, False), (np.int16, True), (np.float32, False), (np.uint16, True)):
        image = _image(dtype) if dtype != np.uint16 else OBLIQUE.to_image((chest_hu() + 1024).astype(dtype))
        name = f"nrrd {dtype.__name__}" + (" gzip" if compressed else "")
        yield Original(name, "nrrd", _written(scratch, image, "ct.nrrd", compressed), b"ct.nrrd")
    files = _written(scratch, _image(), "ct.nhdr", False)
    yield Original("nhdr", "nrrd", files, b"ct.nhdr")
    files = _written(scratch, _image(), "packed.nhdr", True)
    yield Original("nhdr gzip", "nrrd", files, b"packed.nhdr")
    hu = chest_hu().astype("<i2")
    header = f"NRRD0001\n# a comment\ntype: short\ndimension: 3\nsizes: {SHAPE[2]} {SHAPE[1]} {SHAPE[0]}\n"
    spacings = header + "spacings: 1.5 1.25 4\nencoding: raw\nendian: little\n\n"
    yield Original("nrrd spacings", "nrrd", {b"ct.nrrd": spacings.encode() + hu.tobytes()}, b"ct.nrrd")
    ras = header.replace("NRRD0001", "NRRD0005") + (
        "space: right-anterior-superior\nspace directions: (-1.5,0,0) (0,-1.25,0) (0,0,4)\n"
        "kinds: domain domain domain\nencoding: raw\nendian: big\nspace origin: (20,-31.5,-300)\nkey:=value\n\n"
    )
    yield Original("nrrd ras big endian", "nrrd", {b"ct.nrrd": ras.encode() + hu.astype(">i2").tobytes()}, b"ct.nrrd")
    detached = header + "spacings: 1.5 1.25 4\nencoding: raw\nendian: little\nbyte skip: -1\ndata file: ct.dat\n"
    files = {b"ct.nhdr": detached.encode(), b"ct.dat": b"x" * 100 + hu.tobytes()}
    yield Original("nhdr byte skip", "nrrd", files, b"ct.nhdr")


def metaimage_originals(scratch: Path) -> Iterator[Original]:
    for dtype, compressed in ((np.int16, False), (np.int16, True), (np.float32, False)):
        name = f"mha {dtype.__name__}" + (" zlib" if compressed else "")
        yield Original(name, "metaimage", _written(scratch, _image(dtype), "ct.mha", compressed), b"ct.mha")
    for compressed in (False, True):
        files = _written(scratch, _image(), "ct.mhd", compressed)
        yield Original("mhd" + (" zlib" if compressed else ""), "metaimage", files, b"ct.mhd")
    header = (
        f"NDims = 3\nDimSize = {SHAPE[2]} {SHAPE[1]} {SHAPE[0]}\nElementType = MET_SHORT\nElementSize = 1.5 1.25 4\n"
        "Position = 1 2 3\nOrientation = 0 1 0 1 0 0 0 0 -1\nElementByteOrderMSB = True\nHeaderSize = 10\n"
        "ElementDataFile = ct.dat\n"
    )
    files = {b"ct.mhd": header.encode(), b"ct.dat": b"x" * 10 + chest_hu().astype(">i2").tobytes()}
    yield Original("mhd big endian", "metaimage", files, b"ct.mhd")
