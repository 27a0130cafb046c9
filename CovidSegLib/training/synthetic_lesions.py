"""What the data lacks, painted into training slices: dense consolidations in the lungs, gas pockets outside of them.

The public scans with masks show little consolidation, and hardly a slice of them has bowel or a gas-filled oesophagus.
A network that never saw them takes dense lung for chest wall, and gas for lung.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from monai import transforms
from torch.nn import functional

from ..recipe import INFECTION_LABEL, LUNG_LABELS, Stage
from ..volume import AIR_HU
from .transform_keys import IMAGE, MASK

#: Radii, as shares of the rows of a slice: in a crop around the lungs of 250 mm, 8 to 45 mm.
RADII = (0.03, 0.18)
#: Consolidated lung, from part-solid to as dense as tissue that contrast medium has reached.
CONSOLIDATION_HU = (-250.0, 80.0)
#: The most of a slice's lungs that one may fill: where no aerated lung is left, dense lung looks like a shoulder.
MOST_FILLED = 0.5
#: Bowel gas is -1000 HU; scanners, and pictures put back on a HU scale, vary.
GAS_HU = (-1024.0, -960.0)
#: Gas is painted into what is denser than this: tissue, and no air.
TISSUE_HU = -300.0
#: Pixels of tissue that part gas from lung.
WALL = 2


class _SyntheticLesiond(transforms.RandomizableTransform, transforms.MapTransform):
    """Some rough balls of one density, each cut by the neighbouring slices of the image at its own depth.

    Takes a dictionary of image (slices, rows, columns) in HU + 1024 and mask (channels, rows, columns), of the stage's
    labels, for the middle slice.

    Attributes:
        most: Balls that are painted into a slice, at the most.
    """

    most: int

    def __init__(self, stage: Stage, prob: float) -> None:
        transforms.MapTransform.__init__(self, [IMAGE, MASK])
        transforms.RandomizableTransform.__init__(self, prob)
        self.stage = stage

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        self.randomize(None)
        if not self._do_transform:
            return data
        image, mask = torch.as_tensor(data[IMAGE]).clone(), torch.as_tensor(data[MASK]).clone()
        for _ in range(int(self.R.randint(1, self.most + 1))):
            self.paint(image, mask)
        return {**data, IMAGE: image, MASK: mask}

    @abstractmethod
    def paint(self, image: torch.Tensor, mask: torch.Tensor) -> None:
        """One ball, in place."""

    def lungs(self, mask: torch.Tensor) -> torch.Tensor:
        """Boolean (rows, columns): the lungs, with the infection in them."""
        if self.stage.exclusive:
            return mask[0] > 0
        return mask[[label in LUNG_LABELS for label in self.stage.labels]].any(0)

    def ball(self, where: torch.Tensor, slices: int) -> torch.Tensor | None:
        """How much of each pixel of (slices, rows, columns) a ball about a random place of `where` fills, 0 to 1."""
        places = torch.nonzero(where)
        if not len(places):
            return None
        centre = places[self.R.randint(len(places))]
        rows, columns = where.shape
        radius = rows * np.exp(self.R.uniform(*np.log(RADII)))
        y, x = torch.meshgrid(torch.arange(rows) - centre[0], torch.arange(columns) - centre[1], indexing="ij")
        turn, flat = self.R.uniform(0, np.pi), self.R.uniform(0.5, 1.0)
        along = (x * np.cos(turn) + y * np.sin(turn)) / radius
        across = (y * np.cos(turn) - x * np.sin(turn)) / (flat * radius)
        # The middle slice cuts it near its equator, so that what is to be marked is there to be seen.
        step = self.R.uniform(0.1, 0.5)
        depths = self.R.uniform(-0.4, 0.4) + step * (torch.arange(slices) - slices // 2)
        squared = (along**2 + across**2)[None] + depths[:, None, None] ** 2
        inside = (1 - squared.sqrt() + 0.3 * self.smooth(rows, columns, radius / 2)) * radius
        return (inside / self.R.uniform(1.0, 4.0) + 0.5).clamp(0, 1)

    def smooth(self, rows: int, columns: int, scale: float) -> torch.Tensor:
        """Normal noise (rows, columns) that changes over about `scale` pixels."""
        coarse = self.R.normal(size=(max(3, round(rows / scale)), max(3, round(columns / scale))))
        grid = torch.from_numpy(coarse.astype(np.float32))[None, None]
        return functional.interpolate(grid, (rows, columns), mode="bicubic", align_corners=True)[0, 0]

    def density(self, image: torch.Tensor, hu: tuple[float, float], uneven: float) -> torch.Tensor:
        """HU + 1024 (slices, rows, columns) about one drawn from `hu`, uneven and noisy by so many HU."""
        slices, rows, columns = image.shape
        even = self.R.uniform(*hu) - AIR_HU
        noise = torch.from_numpy(self.R.normal(0, uneven / 2, (slices, rows, columns)).astype(np.float32))
        return even + uneven * self.smooth(rows, columns, 12.0) + noise


class RandSyntheticConsolidationd(_SyntheticLesiond):
    """Up to two consolidations within the lungs: infection where the stage finds it, and lung as before."""

    most = 2

    def paint(self, image: torch.Tensor, mask: torch.Tensor) -> None:
        lungs = self.lungs(mask)
        filled = self.ball(lungs, len(image))
        if filled is None:
            return
        filled = filled * lungs
        middle = len(image) // 2
        if filled[middle][lungs].mean() > MOST_FILLED:
            return
        dense = self.density(image, CONSOLIDATION_HU, 40.0)
        image.copy_(torch.where(dense > image, image + filled * (dense - image), image))
        if INFECTION_LABEL in self.stage.labels:
            number = self.stage.labels.index(INFECTION_LABEL)
            channel, value = (0, number) if self.stage.exclusive else (number, 1)
            mask[channel][filled[middle] > 0.5] = value


class RandSyntheticGasd(_SyntheticLesiond):
    """Up to four pockets of gas in the body outside of the lungs: bowel, oesophagus, trachea. Nothing to mark."""

    most = 4

    def paint(self, image: torch.Tensor, mask: torch.Tensor) -> None:
        near = functional.max_pool2d(self.lungs(mask)[None].float(), 2 * WALL + 1, 1, WALL)[0] > 0
        middle = image[len(image) // 2]
        filled = self.ball((middle > TISSUE_HU - AIR_HU) & ~near, len(image))
        if filled is None:
            return
        # Lung of the neighbouring slices is not painted over, nor air beside the body.
        filled = filled * (~near & (image > TISSUE_HU - AIR_HU))
        gas = self.density(image, GAS_HU, 8.0)
        image.copy_((image + filled * (gas - image)).clamp(min=0))
