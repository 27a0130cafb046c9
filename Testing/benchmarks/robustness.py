"""Measure how much the masks of a scan change if its noise, kernel, slices or position change.

    python Testing/benchmarks/robustness.py [CT] [--model NAME]

CT defaults to P001 of the shared data. Each change is reverted in the predicted masks, which are then compared with
those of the unchanged scan. The comparison shows robustness, not accuracy.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from CovidSegLib import models
from CovidSegLib.metrics.overlap import ConfusionMatrix
from CovidSegLib.pipeline import segment
from CovidSegLib.reading import read_volume
from CovidSegLib.volume import AIR_HU, Volume

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("COVIDSEG_DATA") or REPOSITORY.parent / "shared" / "data")
#: Largest value of a 12-bit scanner.
SCANNER_MAX_HU = 3071

Change = Callable[[np.ndarray], np.ndarray]


def _unchanged(masks: np.ndarray) -> np.ndarray:
    return masks


def _noisy(hu: np.ndarray) -> np.ndarray:
    return hu + np.random.default_rng(0).normal(0, 60, hu.shape)


def _blurred(hu: np.ndarray) -> np.ndarray:
    return ndimage.gaussian_filter(hu, (0, 1, 1))


def _sharpened(hu: np.ndarray) -> np.ndarray:
    return hu + 1.5 * (hu - _blurred(hu))


def _windowed(hu: np.ndarray) -> np.ndarray:
    """Quantise to 256 levels from -1350 to 150 HU, like published eight-bit data sets."""
    return np.round(np.clip((hu + 1350) / 1500, 0, 1) * 255) / 255 * 1500 - 1350


def _cropped(hu: np.ndarray) -> np.ndarray:
    """Crop the field of view to 80 % of each side, which cuts off the chest wall."""
    rows, columns = (round(0.1 * side) for side in hu.shape[1:])
    cropped = np.full_like(hu, AIR_HU)
    cropped[:, rows:-rows, columns:-columns] = hu[:, rows:-rows, columns:-columns]
    return cropped


#: By row of the table, functions that change the HU, and that revert the change in masks.
CHANGES: dict[str, tuple[Change, Change]] = {
    "50 HU added": (lambda hu: hu + 50, _unchanged),
    "50 HU subtracted": (lambda hu: hu - 50, _unchanged),
    "noise of 60 HU": (_noisy, _unchanged),
    "a softer kernel": (_blurred, _unchanged),
    "a sharper kernel": (_sharpened, _unchanged),
    "256 levels of a lung window": (_windowed, _unchanged),
    "field of view cut to 80 %": (_cropped, _unchanged),
    "prone, but the header says supine": (lambda hu: hu[:, ::-1], lambda masks: masks[:, ::-1]),
    "left and right swapped": (lambda hu: hu[:, :, ::-1], lambda masks: masks[:, :, ::-1]),
}
#: Number of slices that are averaged to a thick slice.
AVERAGED_SLICES = 3


def with_changed_hu(volume: Volume, change: Change) -> Volume:
    """Return the scan with changed HU on the same grid."""
    hu = change(volume.array.astype(np.float32))
    return replace(volume, array=np.ascontiguousarray(np.round(np.clip(hu, AIR_HU, SCANNER_MAX_HU)).astype(np.int16)))


def with_thick_slices(volume: Volume) -> Volume:
    """Return the scan with averages of consecutive slices."""
    count = len(volume.array) // AVERAGED_SLICES
    slices = volume.array[: count * AVERAGED_SLICES]
    array = slices.reshape(count, AVERAGED_SLICES, *slices.shape[1:]).mean(axis=1)
    spacing = volume.grid.spacing
    grid = replace(volume.grid, shape=array.shape, spacing=spacing._replace(z=spacing.z * AVERAGED_SLICES))
    return Volume(np.round(array).astype(np.int16), grid)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scan", type=Path, nargs="?", default=DATA / "covid_ct_md" / "P001")
    parser.add_argument("--model")
    options = parser.parse_args()
    volume, model = read_volume(options.scan), models.find_model(options.model)
    unchanged = segment(volume, model)

    def print_row(name: str, lungs: np.ndarray, infection: np.ndarray) -> None:
        involvement = 100 * infection.sum() / max(1, lungs.sum())
        lung_dice = ConfusionMatrix.of(lungs, unchanged.lungs[: len(lungs)] > 0).dice
        infection_dice = ConfusionMatrix.of(infection, unchanged.infection[: len(lungs)]).dice
        print(f"| {name} | {lung_dice:.3f} | {infection_dice:.3f} | {involvement:.2f} |", flush=True)

    print(f"{options.scan.name}, {model.name}\n\n| change | lungs, Dice | infection, Dice | % of lungs |")
    print("| --- | --- | --- | --- |")
    print_row("none", unchanged.lungs > 0, unchanged.infection)
    for name, (change, revert) in CHANGES.items():
        changed = segment(with_changed_hu(volume, change), model)
        print_row(name, revert(changed.lungs > 0), revert(changed.infection))
    changed = segment(with_thick_slices(volume), model)
    masks = (np.repeat(mask, AVERAGED_SLICES, axis=0) for mask in (changed.lungs > 0, changed.infection))
    print_row(f"slices {AVERAGED_SLICES} times as thick", *masks)


if __name__ == "__main__":
    main()
