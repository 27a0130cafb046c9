"""Checks of the geometry, the values and the lungs of a CT."""

from pathlib import Path

import numpy as np
import pytest
from skimage.measure import label
from skimage.segmentation import clear_border
from support.random_cts import noise

from CovidSegLib.checks import check_geometry, check_lungs, check_volume
from CovidSegLib.errors import InputError
from CovidSegLib.reading import read_volume
from CovidSegLib.volume import Grid, Volume

TILTED = (1.0, 0.0, 0.0, 0.0, 1.0, 0.3, 0.0, 0.0, 0.9539)


def volume(array: np.ndarray, **grid: object) -> Volume:
    return Volume(array, Grid(array.shape, **{"spacing": (0.8, 0.8, 2.0), "origin": (1.0, 2.0, 3.0), **grid}))


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        (Grid((1, 9, 9)), "single slice"),
        (Grid((9, 1, 9)), "single slice"),
        (Grid((4096, 1024, 1024)), "1024 × 1024 × 4096 voxels is too large"),
        (Grid((9, 9, 9), (0.0, 1.0, 1.0)), "0 × 1 × 1 mm"),
        (Grid((9, 9, 9), (1.0, -1.0, 1.0)), "1 × -1 × 1 mm"),
        (Grid((9, 9, 9), (0.0007, 0.0007, 0.001)), "cannot be right"),
        (Grid((9, 9, 9), (1.0, 1.0, 40.0)), "cannot be right"),
        (Grid((9, 9, 512), (20.0, 1.0, 1.0)), "cannot be right"),
        (Grid((9, 9, 9), (float("nan"), 1.0, 1.0)), "cannot be right"),
        (Grid((9, 9, 9), direction=TILTED), "not at right angles"),
        (Grid((9, 9, 9), direction=(float("nan"),) * 9), "is not a number"),
        (Grid((9, 9, 9), origin=(float("nan"), 0.0, 0.0)), "is not a number"),
    ],
)
def test_impossible_grids_are_rejected(grid: Grid, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_geometry(grid)


def test_grids_of_real_scanners_pass() -> None:
    check_geometry(Grid((1000, 1024, 1024), (0.3, 0.3, 0.3)))
    check_geometry(Grid((12, 512, 512), (0.9, 0.9, 20.0)))
    flipped = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    check_geometry(Grid((100, 512, 512), (0.7, 0.7, 2.0), direction=flipped))


def with_value(value: float) -> np.ndarray:
    array = noise().astype(np.float32) + 0.5
    array[3, 4, 5] = value
    return array


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (with_value(np.nan), "not numbers"),
        (with_value(np.inf), "not numbers"),
        (with_value(-np.inf), "not numbers"),
        (np.full((4, 5, 6), -1000, np.int16), "every voxel has the value -1000"),
        (np.zeros((4, 5, 6), np.float32), "every voxel has the value 0"),
        (noise() // 400 + 3, "is a segmentation"),
        ((noise() > 0).astype(np.float32), "is a segmentation"),
        (np.clip(noise() // 4 + 150, 0, 255), r"grey values \(0 to 249\).*--window"),
        (((noise() + 1024) / 1424).astype(np.float32), r"grey values \(0 to .*--window"),
        (noise() + 1024, "not Hounsfield units"),
        ((noise() / 1000).astype(np.float32), "not Hounsfield units"),
    ],
)
def test_values_that_are_not_hounsfield_units_are_rejected(array: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        check_volume(volume(array))
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_ct_passes_without_warnings() -> None:
    assert check_volume(volume(noise())) == ()
    assert check_volume(volume(noise().astype(np.float32) + 0.25)) == ()


def test_doubtful_cts_give_a_warning() -> None:
    (thick,) = check_volume(volume(noise(), spacing=(0.8, 0.8, 8.0)))
    assert "8 mm apart" in thick
    (lost,) = check_volume(volume(noise(), spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0)))
    assert "have lost their geometry" in lost
    shifted = np.maximum(noise().astype(int) - 1024, -1024).astype(np.int16)
    (wrong,) = check_volume(volume(shifted))
    assert "soft tissue" in wrong


def chest(z: slice = slice(5, 35), *, left: bool = True, **grid: object) -> tuple[np.ndarray, Volume]:
    """Two box-shaped lungs of 1200 ml each (right lung at low x) in a chest of 40 slices of 10 mm."""
    lungs = np.zeros((40, 30, 60), np.uint8)
    lungs[z, 5:25, 5:25] = 1
    lungs[z, 5:25, 35:55] = 2 if left else 0
    return lungs, Volume(np.zeros(lungs.shape, np.int16), Grid(lungs.shape, **{"spacing": (3.2, 3.2, 10.0), **grid}))


def test_complete_lungs_pass_without_warnings() -> None:
    assert check_lungs(*chest()) == ()


def test_too_little_lung_is_rejected_with_its_volume() -> None:
    lungs, ct = chest(slice(5, 6))
    with pytest.raises(InputError, match=r"No lungs were found in this image \(82 ml"):
        check_lungs(lungs, ct)
    with pytest.raises(InputError, match=r"\(0 ml"):
        check_lungs(np.zeros_like(lungs), ct)


@pytest.mark.parametrize(
    ("z", "direction", "words"),
    [
        (slice(0, 30), (1, 0, 0, 0, 1, 0, 0, 0, 1), ["ends within"]),
        (slice(5, 40), (1, 0, 0, 0, 1, 0, 0, 0, 1), ["begins within"]),
        (slice(0, 40), (1, 0, 0, 0, 1, 0, 0, 0, 1), ["begins within", "ends within"]),
        (slice(0, 30), (-1, 0, 0, 0, 1, 0, 0, 0, -1), ["begins within"]),
        (slice(0, 30), (1, 0, 0, 0, 0.8, -0.6, 0, 0.6, 0.8), ["ends within"]),
    ],
)
def test_cut_lungs_give_a_warning_that_names_the_end(z: slice, direction: tuple, words: list[str]) -> None:
    warnings = check_lungs(*chest(z, direction=tuple(map(float, direction))))
    assert len(warnings) == len(words)
    assert all(word in sentence for word, sentence in zip(words, warnings, strict=True))


def test_cut_lungs_are_detected_in_sagittal_and_coronal_slices() -> None:
    lungs, _ = chest(slice(0, 30))
    for axes in ((1, 0, 2), (2, 1, 0), (1, 2, 0)):
        turned = np.transpose(lungs, axes)
        # Array axes (z, y, x) of `turned` are axes of the body; columns of the direction are in the order (x, y, z).
        body = {0: (0, 0, 1), 1: (0, 1, 0), 2: (1, 0, 0)}
        direction = np.array([body[axis] for axis in reversed(axes)], float).T
        spacing = tuple((10.0, 3.2, 3.2)[axis] for axis in reversed(axes))
        grid = Grid(turned.shape, spacing, direction=tuple(direction.ravel()))
        (sentence,) = check_lungs(turned, Volume(np.zeros(turned.shape, np.int16), grid))
        assert "ends within" in sentence


def test_the_tip_of_an_apex_on_the_outermost_slice_is_not_a_cut() -> None:
    lungs, ct = chest()
    lungs[35:, 10:16, 10:16] = 1  # 6 x 6 voxels of 3.2 mm: 369 mm2
    assert check_lungs(lungs, ct) == ()


def test_a_missing_lung_and_small_lungs_give_a_warning() -> None:
    (one,) = check_lungs(*chest(left=False))
    assert "left lung was not found" in one
    lungs, ct = chest()
    (one,) = check_lungs(np.where(lungs == 1, 0, lungs).astype(np.uint8), ct)
    assert "right lung was not found" in one
    (small,) = check_lungs(*chest(slice(10, 20)))
    assert "819 ml" in small


def crude_lungs(ct: Volume) -> tuple[np.ndarray, Volume]:
    """Air within the body on every fourth pixel, split into halves at the middle column."""
    array, grid = ct.array[:, ::4, ::4], ct.grid
    spacing = (grid.spacing[0] * 4, grid.spacing[1] * 4, grid.spacing[2])
    parts = label(np.stack([clear_border(plane) for plane in array < -400]))
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    lungs = np.isin(parts, np.flatnonzero(sizes > 0.2 * sizes.max())).astype(np.uint8)
    lungs[:, :, lungs.shape[2] // 2 :] *= 2
    return lungs, Volume(array, Grid(array.shape, spacing, grid.origin, grid.direction))


def test_a_complete_real_scan_and_its_middle(shared_data: Path) -> None:
    ct = read_volume(shared_data / "covid_ct_md" / "normal001")
    assert check_volume(ct) == ()
    lungs, small = crude_lungs(ct)
    assert check_lungs(lungs, small) == ()
    middle = small.array[60:110]
    top, bottom = check_lungs(lungs[60:110], Volume(middle, Grid(middle.shape, small.grid.spacing)))
    assert "begins within" in top
    assert "ends within" in bottom


def test_a_real_scan_that_ends_within_the_recesses_of_the_lungs(shared_data: Path) -> None:
    ct = read_volume(shared_data / "covid_ct_md" / "P001")
    assert check_volume(ct) == ()
    (sentence,) = check_lungs(*crude_lungs(ct))
    assert "ends within" in sentence
