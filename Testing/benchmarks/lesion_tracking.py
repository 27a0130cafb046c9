"""Measure how long lesions take to follow an edit of a synthetic scan of 512 x 512 x 300 voxels.

Usage: python Testing/benchmarks/lesion_tracking.py
"""

import sys
import time
from pathlib import Path

import numpy as np
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from CovidSegLib.quantification.lesion_tracking import LesionTracker, code_voxels
from CovidSegLib.volume import Grid, GridSpacing

SHAPE = (300, 512, 512)


def make_masks() -> tuple[np.ndarray, np.ndarray]:
    """Return two ellipsoidal lungs, and infection in 12 % of them."""
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    lungs = np.zeros(SHAPE, np.uint8)
    for label, middle in ((1, 150), (2, 362)):
        lungs[((x - middle) / 95) ** 2 + ((y - 256) / 150) ** 2 + ((z - 150) / 140) ** 2 < 1] = label
    noise = np.random.default_rng(0).standard_normal([size // 4 for size in SHAPE]).astype(np.float32)
    noise = ndimage.zoom(ndimage.gaussian_filter(noise, 2), 4, order=1)
    return lungs, (noise > np.quantile(noise, 0.88)) & (lungs > 0)


def main() -> None:
    """Print wall time and processor time of each operation."""
    lungs, infection = make_masks()
    tracker = LesionTracker(Grid(SHAPE, GridSpacing(0.7, 0.7, 1.0)))

    def measure(name: str, mask: np.ndarray) -> None:
        code = code_voxels(lungs, mask)
        wall, processor = time.perf_counter(), time.process_time()
        tracker.update(code)
        print(f"{name:32}{time.perf_counter() - wall:8.3f} s{time.process_time() - processor:8.3f} s of processor time")

    measure("number all lesions", infection)
    print(f"{len(tracker.numbers())} lesions, the largest of {max(tracker.voxels.values()):,} voxels")
    for name, box, value in (
        ("paint a cube of 20 voxels", np.s_[100:120, 246:266, 140:160], True),
        ("erase a cube of 20 voxels", np.s_[100:120, 246:266, 140:160], False),
        ("paint a cube of 60 voxels", np.s_[80:140, 226:286, 120:180], True),
        ("cut through a lung", np.s_[:, :, 149:151], False),
    ):
        edited = infection.copy()
        edited[box] = value
        measure(name, edited)
        measure("  undo", infection)


if __name__ == "__main__":
    main()
