"""How much the masks of a scan change when the scan does: other scanners, kernels, slices, positions.

    python Testing/benchmarks/robustness.py [CT] [--model NAME]

CT is P001 of the shared data if left out. Each change is undone in the masks, which are then compared with those of the
scan as it is: this says nothing of whether these were right.
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
from CovidSegLib.pipeline import segment
from CovidSegLib.reading import read_volume
from CovidSegLib.volume import Grid, Volume

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("COVIDSEG_DATA") or REPOSITORY.parent / "shared" / "data")
AIR = -1024

Change = Callable[[np.ndarray], np.ndarray]


def _same(masks: np.ndarray) -> np.ndarray:
    return masks


def _noise(hu: np.ndarray) -> np.ndarray:
    return hu + np.random.default_rng(0).normal(0, 60, hu.shape)


def _blurred(hu: np.ndarray) -> np.ndarray:
    return ndimage.gaussian_filter(hu, (0, 1, 1))


def _sharpened(hu: np.ndarray) -> np.ndarray:
    return hu + 1.5 * (hu - _blurred(hu))


def _window(hu: np.ndarray) -> np.ndarray:
    """As the public data sets were handed on: 256 levels from -1350 to 150 HU."""
    return np.round(np.clip((hu + 1350) / 1500, 0, 1) * 255) / 255 * 1500 - 1350


def _cut(hu: np.ndarray) -> np.ndarray:
    """A field of view of 80 % of each side, which cuts off the chest wall."""
    rows, columns = (round(0.1 * side) for side in hu.shape[1:])
    cut = np.full_like(hu, AIR)
    cut[:, rows:-rows, columns:-columns] = hu[:, rows:-rows, columns:-columns]
    return cut


#: The change, and how it is undone in the masks.
CHANGES: dict[str, tuple[Change, Change]] = {
    "50 HU added": (lambda hu: hu + 50, _same),
    "50 HU subtracted": (lambda hu: hu - 50, _same),
    "noise of 60 HU": (_noise, _same),
    "a softer kernel": (_blurred, _same),
    "a sharper kernel": (_sharpened, _same),
    "256 levels of a lung window": (_window, _same),
    "field of view cut to 80 %": (_cut, _same),
    "prone, but the header says supine": (lambda hu: hu[:, ::-1], lambda masks: masks[:, ::-1]),
    "left and right swapped": (lambda hu: hu[:, :, ::-1], lambda masks: masks[:, :, ::-1]),
}
#: Slices averaged by this many.
THICK = 3


def changed(volume: Volume, change: Change) -> Volume:
    """The scan with other HU on the same grid."""
    hu = change(volume.array.astype(np.float32))
    return replace(volume, array=np.ascontiguousarray(np.round(np.clip(hu, AIR, 3071)).astype(np.int16)))


def thick(volume: Volume) -> Volume:
    """Slices three times as thick."""
    count = len(volume.array) // THICK
    array = volume.array[: count * THICK].reshape(count, THICK, *volume.array.shape[1:]).mean(axis=1)
    x, y, z = volume.grid.spacing
    grid = Grid(array.shape, (x, y, z * THICK), volume.grid.origin, volume.grid.direction)
    return Volume(np.round(array).astype(np.int16), grid)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Of two masks; 1 where both are empty."""
    both = one.sum() + other.sum()
    return 2 * float((one & other).sum()) / float(both) if both else 1.0


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scan", type=Path, nargs="?", default=DATA / "covid_ct_md" / "P001")
    parser.add_argument("--model")
    options = parser.parse_args()
    volume, model = read_volume(options.scan), models.find_model(options.model)
    plain = segment(volume, model)

    def row(name: str, lungs: np.ndarray, infection: np.ndarray) -> None:
        share = 100 * infection.sum() / max(1, lungs.sum())
        print(
            f"| {name} | {dice(lungs, (plain.lungs > 0)[: len(lungs)]):.3f} | "
            f"{dice(infection, plain.infection[: len(lungs)]):.3f} | {share:.2f} |",
            flush=True,
        )

    print(f"{options.scan.name}, {model.name}\n\n| change | lungs, Dice | infection, Dice | % of lungs |")
    print("| --- | --- | --- | --- |")
    row("none", plain.lungs > 0, plain.infection)
    for name, (change, undo) in CHANGES.items():
        found = segment(changed(volume, change), model)
        row(name, undo(found.lungs > 0), undo(found.infection))
    found = segment(thick(volume), model)
    row(
        f"slices {THICK} times as thick",
        *(np.repeat(mask, THICK, axis=0) for mask in (found.lungs > 0, found.infection)),
    )


if __name__ == "__main__":
    main()
