"""Lungs that were moved, turned and deformed in a known way are registered back."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from CovidSegLib.errors import Cancelled
from CovidSegLib.followup import Registration, register_lungs, resample_labels, resample_volume
from CovidSegLib.followup import registration as module
from CovidSegLib.followup.registration import sampled
from CovidSegLib.phantom import Phantom, default_grid, make_phantom
from CovidSegLib.volume import AIR_HU, Grid, GridSpacing, Volume

#: The phantom on voxels of about 4 mm, which the registration works on.
COARSE = Grid((78, 90, 90), GridSpacing(4.0, 4.0, 4.0), default_grid().origin)


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom(COARSE)


@pytest.fixture(scope="module")
def movement(phantom: Phantom) -> sitk.Transform:
    """Points of the prior CT to points of the current CT: turned, shifted and breathed out."""
    image = phantom.volume.to_image()
    breathing = sitk.BSplineTransformInitializer(image, [3, 3, 3])
    breathing.SetParameters(np.random.default_rng(0).normal(0, 4, len(breathing.GetParameters())).tolist())
    turn = sitk.Euler3DTransform()
    turn.SetCenter(image.TransformContinuousIndexToPhysicalPoint([n / 2 for n in image.GetSize()]))
    turn.SetRotation(0.05, -0.04, 0.06)
    turn.SetTranslation((12.0, -8.0, 14.0))
    return sitk.CompositeTransform([turn, breathing])


@pytest.fixture(scope="module")
def prior(phantom: Phantom, movement: sitk.Transform) -> tuple[Volume, np.ndarray]:
    """The moved CT and its lungs."""
    image = phantom.volume.to_image()
    moved = sitk.Resample(image, image, movement, sitk.sitkLinear, float(AIR_HU), sitk.sitkInt16)
    lungs = sitk.Resample(COARSE.to_image(phantom.lungs), image, movement, sitk.sitkNearestNeighbor, 0)
    return Volume.of_image(moved), sitk.GetArrayFromImage(lungs)


@pytest.fixture(scope="module")
def registration(phantom: Phantom, prior: tuple[Volume, np.ndarray]) -> Registration:
    """On coarser voxels and with fewer iterations than in use, for speed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "VOXEL_MM", 8.0)
        patch.setattr(module, "DEFORMATION_ITERATIONS", 15)
        return register_lungs(phantom.volume, phantom.lungs, *prior)


def test_points_come_back(
    registration: Registration, movement: sitk.Transform, prior: tuple[Volume, np.ndarray]
) -> None:
    volume, lungs = prior
    image = volume.to_image()
    voxels = np.argwhere(lungs)[:: len(np.argwhere(lungs)) // 500]
    points = [image.TransformIndexToPhysicalPoint((int(x), int(y), int(z))) for z, y, x in voxels]
    back = [registration.transform.TransformPoint(movement.TransformPoint(point)) for point in points]
    errors = np.linalg.norm(np.subtract(back, points), axis=1)
    shifts = np.linalg.norm(np.subtract([movement.TransformPoint(point) for point in points], points), axis=1)
    assert np.mean(shifts) > 15
    assert np.mean(errors) < 4


def test_the_fit_is_reported(registration: Registration) -> None:
    assert registration.lung_dice > 0.93 > registration.lung_dice_before


def test_the_prior_ct_lies_on_the_current_grid(
    registration: Registration, phantom: Phantom, prior: tuple[Volume, np.ndarray]
) -> None:
    volume, lungs = prior
    resampled = resample_volume(volume, COARSE, registration.transform)
    assert resampled.grid == COARSE and resampled.array.dtype == np.int16
    labels = resample_labels(lungs, volume.grid, COARSE, registration.transform)
    assert set(np.unique(labels)) <= {0, 1, 2}
    inside = (phantom.lungs > 0) & (labels > 0)
    assert np.abs(resampled.array[inside].astype(float) - phantom.volume.array[inside]).mean() < 80


def test_sampled_displacements_are_as_exact_as_needed(phantom: Phantom, movement: sitk.Transform) -> None:
    grid = Grid((40, 50, 60), GridSpacing(5.0, 4.0, 7.0), COARSE.origin, (0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0))
    coarse = sampled(movement, grid)
    corners = [
        (grid.affine_lps @ (x, y, z, 1))[:3] for x in (0, 25.3, 59) for y in (0, 20.7, 49) for z in (0, 17.1, 39)
    ]
    errors = [np.subtract(coarse.TransformPoint(tuple(p)), movement.TransformPoint(tuple(p))) for p in corners]
    assert np.abs(errors).max() < 0.1


def test_it_can_be_cancelled(phantom: Phantom, prior: tuple[Volume, np.ndarray]) -> None:
    def stop(step: str, fraction: float) -> None:
        if fraction >= 0.1:
            raise Cancelled

    with pytest.raises(Cancelled):
        register_lungs(phantom.volume, phantom.lungs, *prior, stop)


def test_without_lungs_there_is_nothing_to_register(phantom: Phantom) -> None:
    with pytest.raises(ValueError, match="no lungs"):
        register_lungs(phantom.volume, np.zeros_like(phantom.lungs), phantom.volume, phantom.lungs)
