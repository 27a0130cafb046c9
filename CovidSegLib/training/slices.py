"""Cases as a data set of network inputs: slices in their frame, with neighbours, cached in memory as int16."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from monai.transforms import Compose
from monai.utils import convert_to_tensor
from torch.utils.data import Dataset

from ..inference import stage_frame
from ..preprocessing import AIR_HU, keep_near, neighbours, scale_window
from ..recipe import Stage
from .augmentation import IMAGE, MASK, augmentation
from .cases import Case


class _Stack(NamedTuple):
    """A case in its frame: int16 HU, target and lung masks (slices, rows, columns), and its spacing."""

    pixels: torch.Tensor
    mask: torch.Tensor
    lungs: torch.Tensor
    between_mm: float
    pixel_mm: float


class SliceDataset(Dataset):
    """Slices of cases for one stage: (image (channels, rows, columns) in 0 to 1, mask (1, rows, columns) in 0, 1).

    Args:
        cases: The scans.
        stage: What the network sees.
        target: "lungs" or "infection".
        train: Augment; otherwise the slices are as at inference.
    """

    def __init__(self, cases: Sequence[Case], stage: Stage, target: str, train: bool) -> None:
        self.stage, self.train = stage, train
        self.stacks: list[_Stack] = []
        self.index: list[tuple[int, int]] = []
        zoom = (0.55, 1.15) if target == "lungs" else (0.8, 1.2)
        # Attributes and no dictionary: MONAI seeds the workers' transforms by walking over the attributes.
        self.augment_hu: Compose = augmentation(*zoom, jpeg_probability=0.6)
        self.augment_eight_bit: Compose = augmentation(*zoom, jpeg_probability=0.1)
        self.eight_bit = [case.eight_bit for case in cases]
        for number, case in enumerate(cases):
            known = case.lungs_known if target == "lungs" else case.infection_known
            mask = case.lungs if target == "lungs" else case.infection
            frame = stage_frame(stage, case.axial, case.spacing, case.lungs)
            self.stacks.append(
                _Stack(
                    frame.take(case.axial).round().to(torch.int16),
                    frame.take(mask, fill=0, interpolation="nearest") > 0.5,
                    frame.take(case.lungs, fill=0, interpolation="nearest") > 0.5,
                    case.spacing[0],
                    frame.pixel_mm(case.spacing[1]),
                )
            )
            self.index += [(number, int(z)) for z in np.flatnonzero(known)]

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, item: int) -> tuple[torch.Tensor, torch.Tensor]:
        number, z = self.index[item]
        stack = self.stacks[number]
        step_mm, window = self.stage.slice_step_mm, np.asarray(self.stage.window_hu)
        margin_mm = self.stage.mask_margin_mm
        if self.train:
            step_mm *= _uniform(0.5, 1.6)
            window = np.add(window, (_uniform(-30, 30), _uniform(-30, 30)))
            margin_mm = margin_mm and margin_mm * _uniform(0.5, 1.5)
        around = neighbours(z, len(stack.pixels), self.stage.slices, stack.between_mm, step_mm)
        image, mask = stack.pixels[around].float(), stack.mask[z][None].float()
        if margin_mm is not None:
            image = keep_near(image, stack.lungs[around], round(margin_mm / stack.pixel_mm))
        if self.train:
            augment = self.augment_eight_bit if self.eight_bit[number] else self.augment_hu
            changed: Any = augment({IMAGE: image - AIR_HU, MASK: mask})
            image, mask = convert_to_tensor(changed[IMAGE]) + AIR_HU, convert_to_tensor(changed[MASK])
        return scale_window(image, (float(window[0]), float(window[1]))), mask


def _uniform(low: float, high: float) -> float:
    """A number drawn from torch's generator, which every worker and epoch seeds differently."""
    return float(torch.empty(()).uniform_(low, high))
