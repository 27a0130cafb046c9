"""Training slices of cases, with neighbouring slices as channels, cached in memory as int16."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from ..data.case import Case
from ..data.patients import data_set_of
from ..inference import slice_frame
from ..preprocessing import grey_statistics, keep_near, neighbouring_slices, scale_window, standardise
from ..recipe import Augmentation, Intensity, Stage
from ..volume import AIR_HU
from .augmentation import HU_AUGMENTATIONS, augment, build_augmentation, build_grey_augmentation
from .targets import known_slices, target_mask


class _Scan(NamedTuple):
    """A case, cropped and resampled to the size of the network's input.

    Attributes:
        pixels: int16 HU (slices, rows, columns).
        mask: uint8 target (slices, channels, rows, columns).
        lungs: bool (slices, rows, columns).
        between_mm: Distance between slices.
        pixel_mm: Size of a pixel.
        statistics: Same as in `grey_statistics`.
    """

    pixels: torch.Tensor
    mask: torch.Tensor
    lungs: torch.Tensor
    between_mm: float
    pixel_mm: float
    statistics: tuple[float, float] | None


class SliceDataset(Dataset):
    """The annotated slices of cases: image (channels, rows, columns) and mask (channels, rows, columns), float32.

    Args:
        cases: The scans.
        stage: A stage with `slices`.
        name: Name of the stage, "lungs" or "infection".
        train: Augment the slices; otherwise they are the same as at inference.
        augmentation: The recipe's augmentation.
        skip_dark: Leave out slices that show hardly anything; see `is_dark`.

    Raises:
        InputError: A case has no mask of one of the stage's labels.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        stage: Stage,
        name: str,
        train: bool,
        augmentation: Sequence[Augmentation] = (),
        *,
        skip_dark: bool = False,
    ) -> None:
        assert stage.slices is not None
        self.stage, self.slices, self.train = stage, stage.slices, train
        self.scans: list[_Scan] = []
        self.index: list[tuple[int, int]] = []
        # Attributes, not a dictionary: MONAI and SeededDataset find the transforms to seed among the attributes.
        self.augment_hu = build_augmentation(augmentation, name, stage, HU_AUGMENTATIONS)
        self.augment_eight_bit = build_augmentation(augmentation, name, stage, HU_AUGMENTATIONS, eight_bit=True)
        *self.space_and_intensity, self.augment_grey = build_grey_augmentation(augmentation, name, stage)
        self.vary_input = train and len(self.augment_hu.transforms) > 0
        self.eight_bit = [case.eight_bit for case in cases]
        self.data_sets = [data_set_of(case.patient) for case in cases]
        self.kinds = [kind_of(case) for case in cases]
        for index, case in enumerate(cases):
            frame = slice_frame(stage, case.scan, case.lungs)
            nearest = partial(frame.extract, fill=0, interpolation="nearest")
            pixels = frame.extract(case.scan.hu)
            targets = np.stack([nearest(channel) for channel in target_mask(case, stage)], 1)
            self.scans.append(
                _Scan(
                    torch.from_numpy(np.rint(pixels).astype(np.int16)),
                    torch.from_numpy(targets.astype(np.uint8)),
                    torch.from_numpy(nearest(case.lungs) > 0.5),
                    case.scan.spacing.slices,
                    frame.pixel_mm(case.scan.spacing.rows),
                    grey_statistics(pixels, stage.intensity),
                )
            )
            used = known_slices(case, stage)
            if skip_dark:
                used &= ~is_dark(pixels, stage.intensity)
            self.index += [(index, int(z)) for z in np.flatnonzero(used)]

    def __len__(self) -> int:
        return len(self.index)

    @property
    def millimetres(self) -> torch.Tensor:
        """The distance in mm from each slice to the next one, as a sampling weight."""
        return torch.tensor([self.scans[scan].between_mm for scan, _ in self.index])

    def shared(self, weights: torch.Tensor, shares: Mapping[str, float]) -> torch.Tensor:
        """Scale sampling weights so that each kind of case has its share; see `recipe.Training.shares`."""
        kinds = [self.kinds[scan] for scan, _ in self.index]
        totals: Counter[str] = Counter()
        for kind, weight in zip(kinds, weights.tolist(), strict=True):
            totals[kind] += weight
        factors = torch.tensor([shares.get(kind, 1.0) / totals[kind] for kind in kinds])
        return weights * factors

    @property
    def data_set_shares(self) -> torch.Tensor:
        """Sampling weights with which as many slices are drawn from each data set."""
        names = [self.data_sets[scan] for scan, _ in self.index]
        counts = Counter(names)
        return torch.tensor([1 / counts[name] for name in names])

    def __getitem__(self, item: int) -> tuple[torch.Tensor, torch.Tensor]:
        number, z = self.index[item]
        scan = self.scans[number]
        step_mm, margin_mm, intensity = self.slices.step_mm, self.stage.mask_margin_mm, self.stage.intensity
        if self.vary_input:  # imitates other slice distances, windows and lung masks
            step_mm *= _uniform(0.5, 1.6)
            low, high = intensity.window_hu
            intensity = replace(intensity, window_hu=(low + _uniform(-30, 30), high + _uniform(-30, 30)))
            margin_mm = margin_mm and margin_mm * _uniform(0.5, 1.5)
        around = neighbouring_slices(z, len(scan.pixels), self.slices.count, scan.between_mm, step_mm)
        image, mask = scan.pixels[around].float(), scan.mask[z].float()
        if margin_mm is not None:
            near = keep_near(image.numpy(), scan.lungs[around].numpy(), round(margin_mm / scan.pixel_mm))
            image = torch.from_numpy(near)
        if self.train:
            augment_hu = self.augment_eight_bit if self.eight_bit[number] else self.augment_hu
            image, mask = augment(augment_hu, image - AIR_HU, mask)
            image = image + AIR_HU
        grey = scale_window(image, intensity.window_hu)
        if self.train:
            augment_space, augment_intensity = self.space_and_intensity
            grey, mask = augment(augment_space, grey, mask)
            return augment(augment_intensity, standardise(grey, intensity, scan.statistics), mask)
        return standardise(grey, intensity, scan.statistics), mask


def kind_of(case: Case) -> str:
    """Return the kind of a case in `recipe.Training.shares`."""
    if case.infection_known.any() and not case.infection.any():
        return "clean-scans"
    return "single-slices" if len(case.scan) == 1 else "scans"


def is_dark(pixels: np.ndarray, intensity: Intensity) -> np.ndarray:
    """Return which slices are "just black or dark" (CHS-Net, section 4.1).

    The paper does not say when a slice is dark. Here, it is if less than a hundredth of its pixels reach a fifth of the
    window: a window from -1000 to 400 HU shows no more than lung there.

    Args:
        pixels: HU (slices, rows, columns).
        intensity: The window.

    Returns:
        Boolean (slices).
    """
    return np.asarray((scale_window(pixels, intensity.window_hu) >= 0.2).mean(axis=(1, 2)) < 0.01)


def _uniform(low: float, high: float) -> float:
    """Draw a number from torch's generator, which `SeededDataset` seeds for every item."""
    return float(torch.empty(()).uniform_(low, high))
