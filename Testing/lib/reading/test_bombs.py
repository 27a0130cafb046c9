"""Small files that claim or inflate to gigabytes are refused before the memory is taken; large CTs are read."""

from __future__ import annotations

import gzip
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian
from support.dicom_factory import write_series
from support.peak_memory import PEAK_KILOBYTES

import CovidSegLib

pytest.importorskip("resource")
LIBRARY = Path(CovidSegLib.__file__).parents[1]
GIGABYTE = 10**9
#: In GB.
SMALL = 1.0
#: Reads a file in at most so much address space, and prints what came of it and the most memory that was used, in kB.
READ = (
    PEAK_KILOBYTES
    + """
import resource, sys
sys.path.insert(0, sys.argv[1])
from CovidSegLib.reading import read_volume
from CovidSegLib.errors import InputError
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[3]), int(sys.argv[3])))
try:
    print(read_volume(sys.argv[2]).array.shape)
except InputError as error:
    print(error)
print(peak_kilobytes())
"""
)


def read(path: Path, limit: int) -> tuple[str, float]:
    """Return what came of reading a file, and the memory that it took in GB."""
    command = [sys.executable, "-c", READ, str(LIBRARY), str(path), str(limit)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    outcome, _, kilobytes = done.stdout.strip().rpartition("\n")
    return outcome, int(kilobytes) / 1e6


def nifti(path: Path, shape: tuple[int, int, int], code: int, slope: float = 0.0, planes: int | None = None) -> Path:
    """Write a NIfTI file whose slices all are the same; `planes` of them if that is less than the header says."""
    kind = {2: "u1", 4: "<i2", 16: "<f4", 64: "<f8"}[code]
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *shape, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, code, 8 * np.dtype(kind).itemsize)
    struct.pack_into("<8f", header, 76, 1, 0.4, 0.4, 0.4, 0, 0, 0, 0)
    struct.pack_into("<3f", header, 108, 352, slope, 0)
    struct.pack_into("<2h", header, 252, 0, 1)
    struct.pack_into("<12f", header, 280, 0.4, 0, 0, 0, 0, 0.4, 0, 0, 0, 0, 0.4, 0)
    header[344:348] = b"n+1\0"
    plane = np.zeros(shape[:2], kind)
    plane[:, ::2] = 1 if code == 2 else -1000
    with gzip.open(path, "wb", 1) if path.suffix == ".gz" else path.open("wb") as file:
        file.write(header)
        for _ in range(shape[2] if planes is None else planes):
            file.write(plane.tobytes())
    return path


def nrrd(path: Path) -> Path:
    zeros = zlib.compressobj(1, zlib.DEFLATED, 31)
    header = (
        "NRRD0004\ntype: double\ndimension: 3\nspace: left-posterior-superior\nsizes: 1000 1000 1000\n"
        "space directions: (1,0,0) (0,1,0) (0,0,1)\nendian: little\nencoding: gzip\nspace origin: (0,0,0)\n\n"
    )
    path.write_bytes(header.encode() + zeros.compress(bytes(10**6)) + zeros.flush())
    return path


def metaimage(path: Path) -> Path:
    data = zlib.compress(bytes(10**6))
    path.write_bytes(
        b"ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = True\n"
        b"CompressedDataSize = %d\nElementSpacing = 1 1 1\nDimSize = 30000 30000 30000\n"
        b"ElementType = MET_SHORT\nElementDataFile = LOCAL\n" % len(data) + data
    )
    return path


CLAIMS: dict[str, Callable[[Path], Path]] = {
    "32-bit": lambda folder: nifti(folder / "ct.nii.gz", (1024, 1024, 2000), 16, planes=1),
    "64-bit": lambda folder: nifti(folder / "ct.nii", (1024, 1024, 300), 64, planes=1),
    "rescaled": lambda folder: nifti(folder / "ct.nii.gz", (1024, 1024, 1000), 4, slope=0.5, planes=1),
    "bytes": lambda folder: nifti(folder / "ct.nii.gz", (1024, 1024, 2000), 2, planes=1),
    "NRRD": lambda folder: nrrd(folder / "ct.nrrd"),
    "MetaImage": lambda folder: metaimage(folder / "ct.mha"),
}


@pytest.mark.parametrize("kind", CLAIMS)
def test_a_header_that_claims_too_much_is_refused(tmp_path: Path, kind: str) -> None:
    outcome, memory = read(CLAIMS[kind](tmp_path), 2 * GIGABYTE)
    assert "voxels is too large to be read" in outcome
    assert memory < SMALL


def test_a_file_that_inflates_to_8_gb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ct.nii.gz"
    nifti(path, (1024, 1024, 100), 16)
    block = path.read_bytes()
    with path.open("ab") as file:  # gzip streams may follow each other
        for _ in range(20):
            file.write(block)
    outcome, memory = read(path, 2 * GIGABYTE)
    assert "holds more data than its header says" in outcome
    assert memory < SMALL


def test_a_deflated_dicom_file_that_inflates_to_gigabytes_is_refused(tmp_path: Path) -> None:
    path, _ = write_series(tmp_path, np.zeros((2, 8, 8)))
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data.save_as(path, enforce_file_format=True)
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    meta = pydicom.dcmread(path, stop_before_pixels=True).file_meta
    start = path.read_bytes()[: 132 + 12 + int(meta.FileMetaInformationGroupLength)]
    with path.open("wb") as file:
        file.write(start)
        for _ in range(1100):
            file.write(packed.compress(bytes(10**6)))
        file.write(packed.flush())
    assert path.stat().st_size < 2e6
    outcome, memory = read(path, 2 * GIGABYTE)
    assert "inflates to more data than a CT file holds" in outcome
    assert memory < SMALL


def test_a_dicom_header_that_claims_too_much_is_refused(tmp_path: Path) -> None:
    def edit(data: pydicom.Dataset, index: int) -> None:
        data.Rows = data.Columns = 65535

    write_series(tmp_path, np.zeros((2, 8, 8)), edit=edit)
    outcome, memory = read(tmp_path, 2 * GIGABYTE)
    assert "damaged or incomplete" in outcome
    assert memory < SMALL


def _free_memory() -> int:
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):  # macOS does not say
        return 0


@pytest.mark.slow
@pytest.mark.skipif(_free_memory() < 6 * GIGABYTE, reason="needs 6 GB of free memory")
@pytest.mark.parametrize(("slices", "code"), [(1000, 4), (500, 16)], ids=["1000 slices", "floating-point"])
def test_the_largest_cts_are_read_in_about_4_gb(tmp_path: Path, slices: int, code: int) -> None:
    path = nifti(tmp_path / "ct.nii.gz", (1024, 1024, slices), code)
    outcome, memory = read(path, 8 * GIGABYTE)
    assert outcome == f"({slices}, 1024, 1024)"
    assert memory < 4.5


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_that_runs_out_is_explained(tmp_path: Path) -> None:
    """OpenBLAS ends the process if it gets no memory. What it says must not be taken for a decoder's words."""
    script = READ.replace("int(sys.argv[3])", "LIMIT").replace(
        "resource.setrlimit",
        "LIMIT = int(open('/proc/self/statm').read().split()[0]) * 4096 + (16 << 20)\nresource.setrlimit",
    )
    path = nifti(tmp_path / "ct.nii", (64, 64, 32), 4)
    done = subprocess.run(
        [sys.executable, "-c", script, str(LIBRARY), str(path)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        check=False,
    )
    assert "emory" in done.stderr + done.stdout, done
