"""Synthetic findings in training slices: dense consolidations in the lungs, and gas in the body outside them.

The public scans with masks show little consolidation, and hardly any of their slices shows bowel or a gas-filled
oesophagus. A network that has not seen them mistakes dense lung for chest wall, and gas for lung.
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

#: Range of the radii, as fractions of the number of rows: 8 to 45 mm in a crop of 250 mm around the lungs.
RADII = (0.03, 0.18)
#: Consolidated lung, from part-solid to the density of contrast-enhanced tissue.
CONSOLIDATION_HU = (-250.0, 80.0)
#: The largest fraction of a slice's lungs that a consolidation may fill. Without aerated lung beside it, dense lung
#: looks like a shoulder.
MAX_FILLED = 0.5
#: Gas is -1000 HU; scanners and restored eight-bit pictures vary.
GAS_HU = (-1024.0, -960.0)
#: Gas is only inserted into tissue, which is denser than this.
TISSUE_HU = -300.0
#: Thickness in pixels of the tissue between gas and lung.
WALL = 2


class _SyntheticLesiond(transforms.RandomizableTransform, transforms.MapTransform):
    """Insert irregular ellipsoids of one density each, cut by the slices of the image.

    Takes a dictionary with an image (slices, rows, columns) in HU + 1024 and the mask (channels, rows, columns) of the
    stage's labels on the middle slice.

    Args:
        stage: The stage that is trained.
        prob: Probability of applying the transform.

    Attributes:
        most: The largest number of ellipsoids in an image.
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
            self.insert(image, mask)
        return {**data, IMAGE: image, MASK: mask}

    @abstractmethod
    def insert(self, image: torch.Tensor, mask: torch.Tensor) -> None:
        """Insert one ellipsoid into image and mask, in place."""

    def lungs(self, mask: torch.Tensor) -> torch.Tensor:
        """Return the lungs including the infection: bool (rows, columns)."""
        if self.stage.exclusive:
            return mask[0] > 0
        return mask[[label in LUNG_LABELS for label in self.stage.labels]].any(0)

    def ellipsoid(self, allowed: torch.Tensor, slices: int) -> torch.Tensor | None:
        """Return the fraction of each pixel that a random ellipsoid fills.

        Args:
            allowed: bool (rows, columns): where the centre may lie.
            slices: Number of slices.

        Returns:
            (slices, rows, columns), 0 to 1; None if the centre may lie nowhere.
        """
        places = torch.nonzero(allowed)
        if not len(places):
            return None
        centre = places[self.R.randint(len(places))]
        rows, columns = allowed.shape
        radius = rows * np.exp(self.R.uniform(*np.log(RADII)))
        y, x = torch.meshgrid(torch.arange(rows) - centre[0], torch.arange(columns) - centre[1], indexing="ij")
        angle, flattening = self.R.uniform(0, np.pi), self.R.uniform(0.5, 1.0)
        along = (x * np.cos(angle) + y * np.sin(angle)) / radius
        across = (y * np.cos(angle) - x * np.sin(angle)) / (flattening * radius)
        # The middle slice, which the mask belongs to, cuts the ellipsoid near its equator.
        step = self.R.uniform(0.1, 0.5)
        depths = self.R.uniform(-0.4, 0.4) + step * (torch.arange(slices) - slices // 2)
        squared = (along**2 + across**2)[None] + depths[:, None, None] ** 2
        inside = (1 - squared.sqrt() + 0.3 * self.smooth_noise(rows, columns, radius / 2)) * radius
        return (inside / self.R.uniform(1.0, 4.0) + 0.5).clamp(0, 1)

    def smooth_noise(self, rows: int, columns: int, scale: float) -> torch.Tensor:
        """Return standard normal noise (rows, columns), smooth over about `scale` pixels."""
        coarse = self.R.normal(size=(max(3, round(rows / scale)), max(3, round(columns / scale))))
        grid = torch.from_numpy(coarse.astype(np.float32))[None, None]
        return functional.interpolate(grid, (rows, columns), mode="bicubic", align_corners=True)[0, 0]

    def texture(self, image: torch.Tensor, hu: tuple[float, float], variation: float) -> torch.Tensor:
        """Return the densities of a lesion in HU + 1024, shaped as the image.

        Args:
            image: (slices, rows, columns).
            hu: Range from which the mean HU is drawn.
            variation: Standard deviation of the smooth variation in HU; that of the pixel noise is half of it.
        """
        slices, rows, columns = image.shape
        mean = self.R.uniform(*hu) - AIR_HU
        noise = torch.from_numpy(self.R.normal(0, variation / 2, (slices, rows, columns)).astype(np.float32))
        return mean + variation * self.smooth_noise(rows, columns, 12.0) + noise


class RandSyntheticConsolidationd(_SyntheticLesiond):
    """Insert up to two consolidations into the lungs. They become infection in the mask if the stage has that label."""

    most = 2

    def insert(self, image: torch.Tensor, mask: torch.Tensor) -> None:
        lungs = self.lungs(mask)
        filled = self.ellipsoid(lungs, len(image))
        if filled is None:
            return
        filled = filled * lungs
        middle = len(image) // 2
        if filled[middle][lungs].mean() > MAX_FILLED:
            return
        dense = self.texture(image, CONSOLIDATION_HU, 40.0)
        image.copy_(torch.where(dense > image, image + filled * (dense - image), image))
        if INFECTION_LABEL in self.stage.labels:
            index = self.stage.labels.index(INFECTION_LABEL)
            channel, value = (0, index) if self.stage.exclusive else (index, 1)
            mask[channel][filled[middle] > 0.5] = value


class RandSyntheticGasd(_SyntheticLesiond):
    """Insert up to four gas pockets into the body outside the lungs, as in bowel, oesophagus and trachea.

    The mask stays as it is.
    """

    most = 4

    def insert(self, image: torch.Tensor, mask: torch.Tensor) -> None:
        near_lung = functional.max_pool2d(self.lungs(mask)[None].float(), 2 * WALL + 1, 1, WALL)[0] > 0
        middle = image[len(image) // 2]
        filled = self.ellipsoid((middle > TISSUE_HU - AIR_HU) & ~near_lung, len(image))
        if filled is None:
            return
        # Lung on the neighbouring slices and the air around the body stay as they are.
        filled = filled * (~near_lung & (image > TISSUE_HU - AIR_HU))
        gas = self.texture(image, GAS_HU, 8.0)
        image.copy_((image + filled * (gas - image)).clamp(min=0))
