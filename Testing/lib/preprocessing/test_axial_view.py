"""Axial slices of arrays in any orientation."""

import itertools

import numpy as np
import pytest
import SimpleITK as sitk

from CovidSegLib.preprocessing import AxialView
from CovidSegLib.volume import Grid, Volume

ORIENTATIONS = [
    "".join(letters) for axes in itertools.permutations(("RL", "AP", "IS")) for letters in itertools.product(*axes)
]


@pytest.mark.parametrize("code", ORIENTATIONS)
def test_axial_view_agrees_with_dicom_orient_and_is_invertible(code: str, rng: np.random.Generator) -> None:
    array = rng.integers(-1000, 1000, (3, 4, 5), dtype=np.int16)
    lps = Volume(array, Grid((3, 4, 5), (1.0, 2.0, 3.0)))
    turned = Volume.of_image(sitk.DICOMOrient(lps.to_image(), code))
    view = AxialView.of(turned.grid)
    np.testing.assert_array_equal(view.apply(turned.array), array)
    np.testing.assert_array_equal(view.undo(view.apply(turned.array)), turned.array)
    assert view.spacing(turned.grid) == (3.0, 2.0, 1.0)
