"""Image files keep voxels and positions, and incomplete files raise."""

import gzip
import math
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from support.grids import grid_of, grids

import CovidSegLib
from CovidSegLib.outputs.writing import write_image, write_surface
from CovidSegLib.surfaces import closed_surface

ROOT = Path(CovidSegLib.__file__).parents[1]


@settings(max_examples=40, deadline=None)
@given(grid=grids(), seed=st.integers(0, 1000))
def test_nifti_keeps_voxels_and_positions_on_any_grid(tmp_path_factory, grid, seed):
    array = np.random.default_rng(seed).integers(0, 256, grid.shape).astype(np.uint8)
    path = tmp_path_factory.mktemp("nifti") / "a.nii.gz"
    write_image(path, grid.to_image(array))
    image = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), array)
    depth, height, width = grid.shape
    corners = [(x, y, z) for x in (0, width - 1) for y in (0, height - 1) for z in (0, depth - 1)]
    with gzip.open(path) as file:
        header = file.read(348)
    assert struct.unpack_from("<2h", header, 252) == (1, 1)  # qform and sform are both set
    sform = np.array(struct.unpack_from("<12f", header, 280)).reshape(3, 4)
    for corner in corners:
        expected = grid.affine_lps @ [*corner, 1]
        np.testing.assert_allclose(image.TransformIndexToPhysicalPoint(corner), expected[:3], atol=1e-4)
        np.testing.assert_allclose(sform @ [*corner, 1], expected[:3] * [-1, -1, 1], atol=1e-4)
        # The first component of the quaternion is derived from the others, which halves the single precision.
        distance = np.linalg.norm(expected[:3] - grid.origin)
        np.testing.assert_allclose(
            qform(header) @ [*corner, 1], expected[:3] * [-1, -1, 1], atol=1e-3 * distance + 1e-3
        )


def qform(header):
    """The qform matrix, computed from the quaternion as in the NIfTI standard."""
    b, c, d, *offset = struct.unpack_from("<6f", header, 256)
    a = math.sqrt(max(0.0, 1 - b * b - c * c - d * d))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    left_handed, *spacing = struct.unpack_from("<4f", header, 76)
    rotation[:, 2] *= left_handed
    return np.column_stack([rotation * spacing, offset])


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd", "a.vtp"])
@pytest.mark.skipif(sys.platform == "win32", reason="the size of files cannot be limited there")
def test_a_file_that_does_not_fit_on_the_disk_raises(tmp_path, name):
    # SimpleITK and VTK themselves may report success.
    script = f"""
import resource, sys, numpy as np, SimpleITK as sitk, vtk
from pathlib import Path
from CovidSegLib.outputs.writing import write_image, write_surface
path = Path({str(tmp_path / name)!r})
noise = sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 255, (20, 100, 100)).astype(np.uint8))
sphere = vtk.vtkSphereSource()
sphere.SetThetaResolution(200)
sphere.SetPhiResolution(200)
sphere.Update()
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write_surface(path, sphere.GetOutput()) if path.suffix == ".vtp" else write_image(path, noise)
except OSError as error:
    sys.exit(7)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True)
    assert done.returncode == 7, done.stderr.decode()


def test_writing_does_not_change_the_surface(tmp_path):
    surface = closed_surface(np.ones((3, 3, 3), bool), grid_of((3, 3, 3)))
    write_surface(tmp_path / "a.vtp", surface)
    assert surface.GetFieldData().GetNumberOfArrays() == 0


def test_a_surface_that_cannot_be_written_raises(tmp_path):
    surface = closed_surface(np.ones((3, 3, 3), bool), grid_of((3, 3, 3)))
    with pytest.raises(FileNotFoundError, match="no such folder"):
        write_surface(tmp_path / "no such folder" / "a.vtp", surface)
