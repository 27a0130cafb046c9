"""Fields of image headers that few files have, in files that are otherwise as usual."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from support.random_cts import noise

from CovidSegLib.errors import InputError
from CovidSegLib.reading import read_volume
from CovidSegLib.volume import Grid, Volume

GRID = Grid((12, 16, 20), (1.5, 1.5, 2.0), (-10.0, -20.0, -30.0))


@pytest.mark.parametrize(
    ("qform", "sform", "warns"), [(1, 1, False), (1, 0, False), (0, 1, False), (2, 4, False), (0, 0, True)]
)
def test_one_of_both_transforms_of_nifti_is_enough(tmp_path: Path, qform: int, sform: int, warns: bool) -> None:
    path = tmp_path / "ct.nii"
    sitk.WriteImage(Volume(noise(GRID.shape), GRID).to_image(), str(path))
    content = bytearray(path.read_bytes())
    content[252:256] = struct.pack("<2h", qform, sform)
    path.write_bytes(content)
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.array, noise(GRID.shape))
    assert any("orientation" in warning for warning in volume.warnings) == warns
    if not warns:
        np.testing.assert_allclose(volume.grid.affine_lps, GRID.affine_lps, atol=1e-4)


@pytest.mark.parametrize("name", ["byte skip", "byteskip"])
@pytest.mark.parametrize("skip", [7, -1])
def test_voxels_of_nrrd_may_start_later_in_their_file(tmp_path: Path, name: str, skip: int) -> None:
    """-1 means that the voxels are the last bytes of the file."""
    path = tmp_path / "ct.nhdr"
    sitk.WriteImage(Volume(noise(GRID.shape), GRID).to_image(), str(path), useCompression=False)
    header = path.read_text().replace("encoding:", f"{name}: {skip}\nencoding:")
    path.write_text(header)
    data = tmp_path / "ct.raw"
    data.write_bytes(b"ignored" + data.read_bytes())
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.array, noise(GRID.shape))
    np.testing.assert_allclose(volume.grid.affine_lps, GRID.affine_lps)


def test_an_encoding_that_is_not_supported_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ct.nrrd"
    sitk.WriteImage(Volume(noise(GRID.shape), GRID).to_image(), str(path), useCompression=False)
    path.write_bytes(path.read_bytes().replace(b"encoding: raw", b"encoding: bzip2"))
    with pytest.raises(InputError, match=r"in a way that is not supported \(bzip2\)\. Save it again from 3D Slicer"):
        read_volume(path)


@pytest.mark.parametrize("axes", [0, 8])
def test_nifti_has_one_to_seven_axes(tmp_path: Path, axes: int) -> None:
    path = tmp_path / "ct.nii"
    sitk.WriteImage(Volume(noise(GRID.shape), GRID).to_image(), str(path))
    content = bytearray(path.read_bytes())
    content[40:42] = struct.pack("<h", axes)
    path.write_bytes(content)
    with pytest.raises(InputError, match="is damaged"):
        read_volume(path)
