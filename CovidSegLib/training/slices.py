"""Cases as a data set of network inputs: slices in their frame, with neighbours, cached in memory as int16."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from monai.utils import convert_to_tensor
from torch.utils.data import Dataset

from ..errors import InputError
from ..inference import slice_frame
from ..preprocessing import AIR_HU, grey_statistics, keep_near, neighbours, scale_window, standardise
from ..recipe import Augmentation, Stage
from .augmentation import GREY_AUGMENTATIONS, HU_AUGMENTATIONS, IMAGE, MASK, build_augmentation
from .cases import Case


class _Stack(NamedTuple):
    """A case in its frame: int16 HU, target and lung masks (slices, rows, columns), and its spacing."""

    pixels: torch.Tensor
    mask: torch.Tensor
    lungs: torch.Tensor
    between_mm: float
    pixel_mm: float
    statistics: tuple[float, float] | None


class SliceDataset(Dataset):
    """Slices of cases for one stage: (image (channels, rows, columns), mask (1, rows, columns) in 0, 1).

    Args:
        cases: The scans.
        stage: What the network sees.
        target: "lungs" or "infection".
        train: Augment; otherwise the slices are as at inference.
        augmentation: The recipe's changes, for training.

    Raises:
        InputError: The stage sees patches, or finds something else than its target, for which there is no training yet.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        stage: Stage,
        target: str,
        train: bool,
        augmentation: Sequence[Augmentation] = (),
    ) -> None:
        if stage.slices is None:
            raise InputError("This recipe sees patches, and only recipes that see slices can be trained as yet.")
        if stage.labels != (target,):
            raise InputError(f"This recipe finds {', '.join(stage.labels)}; only “{target}” can be trained as yet.")
        self.stage, self.slices, self.train = stage, stage.slices, train
        self.stacks: list[_Stack] = []
        self.index: list[tuple[int, int]] = []
        # Attributes and no dictionary: MONAI seeds the workers' transforms by walking over the attributes.
        self.augment_hu = build_augmentation(augmentation, target, 2, HU_AUGMENTATIONS)
        self.augment_eight_bit = build_augmentation(augmentation, target, 2, HU_AUGMENTATIONS, eight_bit=True)
        self.augment_grey = build_augmentation(augmentation, target, 2, GREY_AUGMENTATIONS)
        self.varied = train and len(self.augment_hu.transforms) > 0
        self.eight_bit = [case.eight_bit for case in cases]
        for number, case in enumerate(cases):
            known = case.lungs_known if target == "lungs" else case.infection_known
            mask = case.lungs if target == "lungs" else case.infection
            frame = slice_frame(stage, case.axial, case.spacing, case.lungs)
            pixels = frame.take(case.axial)
            self.stacks.append(
                _Stack(
                    pixels.round().to(torch.int16),
                    frame.take(mask, fill=0, interpolation="nearest") > 0.5,
                    frame.take(case.lungs, fill=0, interpolation="nearest") > 0.5,
                    case.spacing[0],
                    frame.pixel_mm(case.spacing[1]),
                    grey_statistics(pixels, stage.intensity),
                )
            )
            self.index += [(number, int(z)) for z in np.flatnonzero(known)]

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, item: int) -> tuple[torch.Tensor, torch.Tensor]:
        number, z = self.index[item]
        stack = self.stacks[number]
        step_mm, margin_mm, intensity = self.slices.step_mm, self.stage.mask_margin_mm, self.stage.intensity
        if self.varied:  # what other scanners and other lung masks would give
            step_mm *= _uniform(0.5, 1.6)
            low, high = intensity.window_hu
            intensity = replace(intensity, window_hu=(low + _uniform(-30, 30), high + _uniform(-30, 30)))
            margin_mm = margin_mm and margin_mm * _uniform(0.5, 1.5)
        around = neighbours(z, len(stack.pixels), self.slices.count, stack.between_mm, step_mm)
        image, mask = stack.pixels[around].float(), stack.mask[z][None].float()
        if margin_mm is not None:
            image = keep_near(image, stack.lungs[around], round(margin_mm / stack.pixel_mm))
        if self.train:
            augment = self.augment_eight_bit if self.eight_bit[number] else self.augment_hu
            image, mask = _changed(augment, image - AIR_HU, mask)
            image = image + AIR_HU
        grey = scale_window(image, intensity.window_hu)
        if self.train:
            grey, mask = _changed(self.augment_grey, grey, mask)
        return standardise(grey, intensity, stack.statistics), mask


def _changed(augment: Any, image: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    changed = augment({IMAGE: image, MASK: mask})
    return convert_to_tensor(changed[IMAGE]), convert_to_tensor(changed[MASK])


def _uniform(low: float, high: float) -> float:
    """A number drawn from torch's generator, which every worker and epoch seeds differently."""
    return float(torch.empty(()).uniform_(low, high))
