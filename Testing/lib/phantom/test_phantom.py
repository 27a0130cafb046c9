"""The synthetic chest CT agrees with its ground truth on any grid."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from CovidSegLib.phantom import Phantom, default_grid, make_phantom, oblique_grid
from CovidSegLib.volume import Grid

COARSE = Grid((56, 90, 90), (4.0, 4.0, 5.6), default_grid().origin)


@cache
def phantom(grid: Grid, seed: int = 0) -> Phantom:
    return make_phantom(grid, seed=seed)


def voxel(grid: Grid, x: float, y: float, z: float) -> tuple[int, int, int]:
    """Return the index (z, y, x) of the voxel at an LPS position in mm."""
    i, j, k = np.rint(np.linalg.solve(grid.affine_lps, [x, y, z, 1])[:3]).astype(int)
    return k, j, i


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * float((a & b).sum()) / float(a.sum() + b.sum())


def test_types_and_shapes() -> None:
    made = phantom(COARSE)
    assert made.volume.array.dtype == np.int16
    assert made.lungs.dtype == np.uint8
    assert made.infection.dtype == bool
    assert made.volume.array.shape == made.lungs.shape == made.infection.shape == COARSE.shape
    assert set(np.unique(made.lungs)) == {0, 1, 2}


def test_the_source_says_that_it_is_synthetic() -> None:
    source = make_phantom(COARSE, seed=7, infected=False).volume.source
    assert source["format"] == "synthetic phantom"
    assert source["seed"] == 7


def test_the_seed_determines_every_byte() -> None:
    first, again, other = phantom(COARSE), make_phantom(COARSE), phantom(COARSE, 1)
    assert np.array_equal(first.volume.array, again.volume.array)
    assert np.array_equal(first.infection, again.infection)
    assert first.lesions == again.lesions
    assert not np.array_equal(first.volume.array, other.volume.array)
    assert not np.array_equal(first.infection, other.infection)


def test_slabs_are_seamless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("CovidSegLib.phantom.synthetic_chest.SLAB_VOXELS", 90 * 90 * 19)
    made = make_phantom(COARSE)
    assert np.array_equal(made.lungs, phantom(COARSE).lungs)
    assert np.abs(made.volume.array.astype(int) - phantom(COARSE).volume.array).max() <= 1


def test_a_healthy_patient() -> None:
    made = make_phantom(COARSE, infected=False)
    assert not made.infection.any()
    assert made.lesions == ()
    assert np.array_equal(made.lungs, phantom(COARSE).lungs)


@pytest.mark.parametrize("seed", range(3))
def test_lesions_lie_in_their_lung_and_add_up_to_the_infection(seed: int) -> None:
    made = phantom(COARSE, seed)
    assert {lesion.kind for lesion in made.lesions} == {"ground-glass", "consolidation"}
    assert {lesion.lung for lesion in made.lesions} == {"right", "left"}
    assert not (made.infection & (made.lungs == 0)).any()
    for lesion in made.lesions:
        index = voxel(COARSE, *lesion.centre)
        assert made.lungs[index] == (1 if lesion.lung == "right" else 2)
    stated = sum(lesion.volume_ml for lesion in made.lesions)
    assert made.infection.sum() * COARSE.voxel_ml == pytest.approx(stated, rel=0.03)


@pytest.mark.parametrize("grid", [default_grid(), oblique_grid()], ids=["axial", "oblique"])
def test_each_lesion_has_its_stated_volume_and_density(grid: Grid) -> None:
    made = phantom(grid)
    parts, _ = ndimage.label(made.infection)
    components = set()
    for lesion in made.lesions:
        part = parts[voxel(grid, *lesion.centre)]
        assert part, lesion
        assert part not in components, "two lesions touch"
        components.add(part)
        here = parts == part
        assert here.sum() * grid.voxel_ml == pytest.approx(lesion.volume_ml, rel=0.04)
        low, high = (-650, -450) if lesion.kind == "ground-glass" else (-60, 60)
        assert low < np.median(made.volume.array[here]) < high


def test_tissues_have_their_hounsfield_units() -> None:
    made, grid = phantom(default_grid()), default_grid()
    hu = made.volume.array

    def mean(x: float, y: float, z: float) -> float:
        k, j, i = voxel(grid, x, y, z)
        return float(hu[k - 1 : k + 2, j - 1 : j + 2, i - 1 : i + 2].mean())

    assert mean(0, -150, 0) == pytest.approx(-1000, abs=20)  # air in front of the chest
    assert mean(-1, 1, 40) == pytest.approx(-995, abs=25)  # trachea
    assert mean(10, -30, -60) == pytest.approx(45, abs=20)  # heart
    assert mean(-70, -20, -130) == pytest.approx(60, abs=20)  # liver
    assert mean(0, 57, -48) > 130  # vertebra
    assert mean(58, -46, -150) < -900  # gas in the stomach
    lung = ndimage.binary_erosion(made.lungs > 0, iterations=3) & ~made.infection
    assert -900 < np.median(hu[lung]) < -840
    back, front = np.zeros_like(lung), np.zeros_like(lung)
    back[:, voxel(grid, 0, 50, 0)[1] :], front[:, : voxel(grid, 0, -30, 0)[1]] = True, True
    assert np.median(hu[lung & back]) > np.median(hu[lung & front]) + 20  # gravity
    air = hu[:, :8].astype(float)
    assert 8 < air.std() < 25


def test_lungs_are_of_normal_size_complete_and_connected() -> None:
    made, grid = phantom(default_grid()), default_grid()
    right, left = ((made.lungs == side).sum() * grid.voxel_ml for side in (1, 2))
    assert 1800 < left < right < 3500
    assert not made.lungs[[0, -1]].any() and not made.lungs[:, :, [0, -1]].any() and not made.lungs[:, [0, -1]].any()
    for side in (1, 2):
        parts, count = ndimage.label(made.lungs == side)
        assert np.bincount(parts.ravel())[1:].max() > 0.999 * (made.lungs == side).sum(), count
    x = (grid.affine_lps @ [*np.argwhere(made.lungs == 1).mean(0)[::-1], 1])[0]
    assert x < -40  # the patient's right is where LPS x is negative


def test_an_oblique_grid_contains_the_same_patient() -> None:
    axial, oblique = phantom(default_grid()), phantom(oblique_grid())
    target = default_grid().to_image(np.zeros(default_grid().shape, np.uint8))

    def resampled(mask: np.ndarray) -> np.ndarray:
        image = oblique.volume.grid.to_image(mask.astype(np.float32))
        return sitk.GetArrayFromImage(sitk.Resample(image, target, sitk.Transform(), sitk.sitkLinear)) > 0.5

    assert dice(resampled(oblique.lungs == 1), axial.lungs == 1) > 0.98
    assert dice(resampled(oblique.lungs == 2), axial.lungs == 2) > 0.98
    assert dice(resampled(oblique.infection), axial.infection) > 0.95


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_flipped_grid_contains_the_same_patient(axis: int) -> None:
    straight = phantom(COARSE)
    column = 2 - axis
    direction = np.eye(3)
    direction[:, column] *= -1
    origin = np.array(COARSE.origin)
    origin[column] += COARSE.spacing[column] * (COARSE.shape[axis] - 1)
    grid = Grid(COARSE.shape, COARSE.spacing, tuple(origin.tolist()), tuple(direction.ravel().tolist()))
    flipped = make_phantom(grid)
    assert dice(np.flip(flipped.lungs, axis) == 1, straight.lungs == 1) > 0.999
    assert dice(np.flip(flipped.infection, axis), straight.infection) > 0.99
    difference = np.flip(flipped.volume.array, axis).astype(float) - straight.volume.array
    assert abs(difference.mean()) < 1
    assert difference.std() < 50  # only the noise differs


def test_a_grid_outside_the_patient_contains_air() -> None:
    made = make_phantom(Grid((4, 20, 20), (2, 2, 2), (1000.0, 1000.0, 0.0)))
    assert made.volume.array.mean() == pytest.approx(-1000, abs=10)
    assert not made.lungs.any()
