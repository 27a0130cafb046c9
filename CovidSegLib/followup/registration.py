"""Register the lungs of two CTs of the same patient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..masks import bounding_box
from ..progress import Progress, silent
from ..volume import AIR_HU, Grid, Volume

#: Voxel size at which the lungs are registered, and the margin around them.
VOXEL_MM, MARGIN_MM = 4.0, 24.0
#: Distance between the control points of the deformation.
CONTROL_POINT_MM = 48.0
#: HU above this are clipped: contrast medium differs between scans of the same patient.
MAX_HU = 200.0
#: The lung masks contribute this difference in HU between inside and outside, so that dense lung is not registered to
#: the chest wall.
MASK_HU = 600.0
RIGID_ITERATIONS, DEFORMATION_ITERATIONS = 60, 40
#: Share of the voxels around the lungs at which the metric is evaluated; more take longer and fit no better.
SAMPLED_SHARE = 0.2


@dataclass(frozen=True)
class Registration:
    """How the lungs of an earlier CT correspond to those of the current CT.

    Attributes:
        transform: Maps LPS points in mm of the current CT to the corresponding points of the prior CT.
        lung_dice: Dice of the current lungs and the registered prior lungs, 0 to 1. Below about 0.9, check the fit.
        lung_dice_before: The same with the lungs only shifted onto each other.
    """

    transform: sitk.Transform
    lung_dice: float
    lung_dice_before: float


def register_lungs(
    current: Volume,
    current_lungs: np.ndarray,
    prior: Volume,
    prior_lungs: np.ndarray,
    progress: Progress = silent,
) -> Registration:
    """Register the lungs of a prior CT to those of the current CT.

    A rigid transform is followed by a deformation with cubic B-splines (Rueckert et al., IEEE TMI 1999), which follows
    the breathing. The metric is the mean square difference of HU around the lungs, to which the lung masks are added.

    Args:
        current, prior: The two CTs, on any grids.
        current_lungs, prior_lungs: Lung masks or labels (z, y, x) on the grids of the CTs, infection included.
        progress: Receives the step and the fraction done; may raise `Cancelled`.

    Raises:
        ValueError: A lung mask is empty, or does not fit its CT.
    """
    progress("Preparing the registration", 0.0)
    fixed, fixed_mask = _lung_image(current, current_lungs)
    moving, moving_mask = _lung_image(prior, prior_lungs)
    start = _centred(fixed_mask, moving_mask)
    around = sitk.BinaryDilate(fixed_mask, [round(MARGIN_MM / 2 / VOXEL_MM)] * 3)

    progress("Aligning the lungs", 0.1)
    method = _method(around)
    method.SetOptimizerAsRegularStepGradientDescent(4.0, 0.02, RIGID_ITERATIONS)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([2, 1])
    method.SetSmoothingSigmasPerLevel([VOXEL_MM, 0.0])
    rigid = sitk.Euler3DTransform(start)
    method.SetInitialTransform(rigid, inPlace=True)
    method.AddCommand(
        sitk.sitkIterationEvent, _iteration_reporter(progress, "Aligning the lungs", 0.1, 0.4, RIGID_ITERATIONS)
    )
    method.Execute(fixed, moving)

    progress("Following the breathing", 0.4)
    mesh = [max(3, round(n * s / CONTROL_POINT_MM)) for n, s in zip(fixed.GetSize(), fixed.GetSpacing(), strict=True)]
    spline = sitk.BSplineTransformInitializer(fixed, mesh, order=3)
    method = _method(around)
    method.SetMovingInitialTransform(rigid)
    method.SetOptimizerAsLBFGSB(
        gradientConvergenceTolerance=1e-5,
        numberOfIterations=DEFORMATION_ITERATIONS,
        maximumNumberOfFunctionEvaluations=DEFORMATION_ITERATIONS,
    )
    method.SetInitialTransform(spline, inPlace=True)
    method.AddCommand(
        sitk.sitkIterationEvent,
        _iteration_reporter(progress, "Following the breathing", 0.4, 0.95, DEFORMATION_ITERATIONS),
    )
    method.Execute(fixed, moving)

    transform = sitk.CompositeTransform([rigid, spline])
    before, after = (_dice(fixed_mask, moving_mask, candidate) for candidate in (start, transform))
    progress("Registered", 1.0)
    return Registration(transform, after, before)


def sampled(transform: sitk.Transform, grid: Grid) -> sitk.DisplacementFieldTransform:
    """Return a transform as displacements on a coarse grid, with which resampling is several times as fast.

    The deformation bends over `CONTROL_POINT_MM`, so that linear interpolation between points `VOXEL_MM` apart differs
    from it by less than a tenth of a millimetre.

    Args:
        transform: From `register_lungs`.
        grid: The grid of the current CT.
    """
    reference = _isotropic_reference(_reference(grid))
    field = sitk.TransformToDisplacementField(
        transform,
        sitk.sitkVectorFloat64,
        reference.GetSize(),
        reference.GetOrigin(),
        reference.GetSpacing(),
        reference.GetDirection(),
    )
    return sitk.DisplacementFieldTransform(field)


def resample_volume(prior: Volume, grid: Grid, transform: sitk.Transform) -> Volume:
    """Return the prior CT on the grid of the current CT: int16 HU by linear interpolation, air outside."""
    image = sitk.Resample(prior.to_image(), _reference(grid), transform, sitk.sitkLinear, float(AIR_HU), sitk.sitkInt16)
    return Volume.of_image(image, source=prior.source)


def resample_labels(labels: np.ndarray, grid: Grid, target: Grid, transform: sitk.Transform) -> np.ndarray:
    """Return labels (z, y, x) of the prior CT on the grid of the current CT, by the nearest voxel."""
    image = sitk.Resample(grid.to_image(labels), _reference(target), transform, sitk.sitkNearestNeighbor, 0.0)
    return sitk.GetArrayFromImage(image)


def _reference(grid: Grid) -> sitk.Image:
    """An image without content on a grid."""
    image = sitk.Image([int(n) for n in grid.shape[::-1]], sitk.sitkUInt8)
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.origin)
    image.SetDirection(grid.direction)
    return image


def _lung_image(volume: Volume, lungs: np.ndarray) -> tuple[sitk.Image, sitk.Image]:
    """The lungs with a margin on an isotropic grid along the patient's axes: HU with the mask added, and the mask."""
    if lungs.shape != volume.grid.shape:
        raise ValueError(f"CT of shape {volume.grid.shape}, lungs of shape {lungs.shape}")
    box = bounding_box(lungs)
    if box is None:
        raise ValueError("there are no lungs to register")
    # The lungs and what surrounds them, averaged over blocks: resampling alone would pick single voxels.
    margins = [round(MARGIN_MM / mm) for mm in reversed(volume.grid.spacing)]
    z, y, x = (
        slice(max(0, part.start - margin), part.stop + margin) for part, margin in zip(box, margins, strict=True)
    )
    blocks = [max(1, round(VOXEL_MM / mm)) for mm in volume.grid.spacing]
    hu = sitk.BinShrink(sitk.Cast(volume.to_image()[x, y, z], sitk.sitkFloat32), blocks)
    mask = sitk.BinShrink(
        sitk.Cast(volume.grid.to_image((lungs > 0).astype(np.uint8))[x, y, z], sitk.sitkFloat32), blocks
    )
    reference = _isotropic_reference(hu)
    hu = sitk.Resample(hu, reference, sitk.Transform(), sitk.sitkLinear, float(AIR_HU))
    mask = sitk.Resample(mask, reference, sitk.Transform(), sitk.sitkLinear, 0.0)
    coarse = sitk.Cast(mask >= 0.5, sitk.sitkUInt8)
    inside = sitk.SmoothingRecursiveGaussian(sitk.Cast(coarse, sitk.sitkFloat32), VOXEL_MM)
    return sitk.Clamp(hu, sitk.sitkFloat32, float(AIR_HU), MAX_HU) - inside * MASK_HU, coarse


def _isotropic_reference(image: sitk.Image) -> sitk.Image:
    """A grid along the patient's axes that covers an image."""
    size = image.GetSize()
    corners = [
        image.TransformIndexToPhysicalPoint((x, y, z))
        for z in (0, size[2] - 1)
        for y in (0, size[1] - 1)
        for x in (0, size[0] - 1)
    ]
    low, high = np.min(corners, axis=0) - VOXEL_MM / 2, np.max(corners, axis=0) + VOXEL_MM / 2
    reference = sitk.Image([int(n) for n in np.ceil((high - low) / VOXEL_MM) + 1], sitk.sitkUInt8)
    reference.SetSpacing([VOXEL_MM] * 3)
    reference.SetOrigin(low.tolist())
    return reference


def _centred(fixed_mask: sitk.Image, moving_mask: sitk.Image) -> sitk.Euler3DTransform:
    """A shift that brings the centres of the lungs onto each other, to be rotated about that of the current lungs."""
    transform = sitk.CenteredTransformInitializer(
        sitk.Cast(fixed_mask, sitk.sitkFloat32),
        sitk.Cast(moving_mask, sitk.sitkFloat32),
        sitk.Euler3DTransform(),
        sitk.CenteredTransformInitializerFilter.MOMENTS,
    )
    return sitk.Euler3DTransform(transform)


def _method(mask: sitk.Image) -> sitk.ImageRegistrationMethod:
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMeanSquares()
    method.SetMetricFixedMask(mask)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(SAMPLED_SHARE)
    method.SetInterpolator(sitk.sitkLinear)
    return method


def _iteration_reporter(progress: Progress, step: str, start: float, end: float, iterations: int) -> Callable[[], None]:
    """Return a callback that reports one more iteration."""
    done = 0

    def report() -> None:
        nonlocal done
        done += 1
        progress(step, start + (end - start) * min(1.0, done / iterations))

    return report


def _dice(fixed_mask: sitk.Image, moving_mask: sitk.Image, transform: sitk.Transform) -> float:
    moved = sitk.Resample(moving_mask, fixed_mask, transform, sitk.sitkNearestNeighbor, 0)
    one, other = (sitk.GetArrayViewFromImage(image) > 0 for image in (fixed_mask, moved))
    return float(2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other)))
