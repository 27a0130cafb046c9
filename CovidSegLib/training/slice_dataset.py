"""Cases as a data set of network inputs: slices in their frame, with neighbours, cached in memory as int16."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from monai.utils import convert_to_tensor
from torch.utils.data import Dataset

from ..data.case import Case
from ..inference import slice_frame
from ..preprocessing import grey_statistics, keep_near, neighbouring_slices, scale_window, standardise
from ..recipe import Augmentation, Stage
from ..volume import AIR_HU
from .augmentation import GREY_AUGMENTATIONS, HU_AUGMENTATIONS, build_augmentation
from .targets import known_slices, target_mask
from .transform_keys import IMAGE, MASK


class _Stack(NamedTuple):
    """A case in its frame: int16 HU and lungs (slices, rows, columns), target (slices, channels, rows, columns), ..."""

    pixels: torch.Tensor
    mask: torch.Tensor
    lungs: torch.Tensor
    between_mm: float
    pixel_mm: float
    statistics: tuple[float, float] | None


class SliceDataset(Dataset):
    """Slices of cases for one stage: (image (channels, rows, columns), mask (channels, rows, columns)).

    Args:
        cases: The scans.
        stage: What the network sees: slices.
        name: "lungs" or "infection", of the stage.
        train: Augment; otherwise the slices are as at inference.
        augmentation: The recipe's changes, for training.

    Raises:
        InputError: The stage has a label that the cases have no masks of.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        stage: Stage,
        name: str,
        train: bool,
        augmentation: Sequence[Augmentation] = (),
    ) -> None:
        assert stage.slices is not None
        self.stage, self.slices, self.train = stage, stage.slices, train
        self.stacks: list[_Stack] = []
        self.index: list[tuple[int, int]] = []
        # Attributes and no dictionary: MONAI seeds the workers' transforms by walking over the attributes.
        self.augment_hu = build_augmentation(augmentation, name, stage, HU_AUGMENTATIONS)
        self.augment_eight_bit = build_augmentation(augmentation, name, stage, HU_AUGMENTATIONS, eight_bit=True)
        self.augment_grey = build_augmentation(augmentation, name, stage, GREY_AUGMENTATIONS)
        self.varied = train and len(self.augment_hu.transforms) > 0
        self.eight_bit = [case.eight_bit for case in cases]
        for number, case in enumerate(cases):
            frame = slice_frame(stage, case.scan, case.lungs)
            nearest = partial(frame.extract, fill=0, interpolation="nearest")
            pixels = frame.extract(case.scan.hu)
            self.stacks.append(
                _Stack(
                    pixels.round().to(torch.int16),
                    torch.stack([nearest(channel) for channel in target_mask(case, stage)], 1).to(torch.uint8),
                    nearest(case.lungs) > 0.5,
                    case.scan.spacing.slices,
                    frame.pixel_mm(case.scan.spacing.rows),
                    grey_statistics(pixels, stage.intensity),
                )
            )
            self.index += [(number, int(z)) for z in np.flatnonzero(known_slices(case, stage))]

    def __len__(self) -> int:
        return len(self.index)

    @property
    def millimetres(self) -> torch.Tensor:
        """What each slice stands for: the distance to the next one."""
        return torch.tensor([self.stacks[number].between_mm for number, _ in self.index])

    def __getitem__(self, item: int) -> tuple[torch.Tensor, torch.Tensor]:
        number, z = self.index[item]
        stack = self.stacks[number]
        step_mm, margin_mm, intensity = self.slices.step_mm, self.stage.mask_margin_mm, self.stage.intensity
        if self.varied:  # what other scanners and other lung masks would give
            step_mm *= _uniform(0.5, 1.6)
            low, high = intensity.window_hu
            intensity = replace(intensity, window_hu=(low + _uniform(-30, 30), high + _uniform(-30, 30)))
            margin_mm = margin_mm and margin_mm * _uniform(0.5, 1.5)
        around = neighbouring_slices(z, len(stack.pixels), self.slices.count, stack.between_mm, step_mm)
        image, mask = stack.pixels[around].float(), stack.mask[z].float()
        if margin_mm is not None:
            image = keep_near(image, stack.lungs[around], round(margin_mm / stack.pixel_mm))
        if self.train:
            augment = self.augment_eight_bit if self.eight_bit[number] else self.augment_hu
            image, mask = changed(augment, image - AIR_HU, mask)
            image = image + AIR_HU
        grey = scale_window(image, intensity.window_hu)
        if self.train:
            grey, mask = changed(self.augment_grey, grey, mask)
        return standardise(grey, intensity, stack.statistics), mask


def changed(augment: Any, image: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Image and mask after a random change of both."""
    both = augment({IMAGE: image, MASK: mask})
    return convert_to_tensor(both[IMAGE]), convert_to_tensor(both[MASK])


def _uniform(low: float, high: float) -> float:
    """A number drawn from torch's generator, which every worker and epoch seeds differently."""
    return float(torch.empty(()).uniform_(low, high))
