"""Numbers during edits: always those of a count from scratch, and those of the report."""

import numpy as np
import pytest

from CovidSegLib.quantification import quantify
from CovidSegLib.quantification.density import HuRange
from CovidSegLib.quantification.live import LOBES, LiveCounts
from CovidSegLib.quantification.numbers import numbers_of
from CovidSegLib.quantification.zones import heights, zone_codes, zone_limits
from CovidSegLib.segmentation import Segmentation
from CovidSegLib.volume import Grid, Volume

SHAPE = (30, 40, 50)
BOX = (slice(2, 28), slice(3, 37), slice(4, 46))
TILT = (1, 0, 0, 0, 0.8, -0.6, 0, 0.6, 0.8)
GRIDS = {
    "axial": Grid(SHAPE, (0.7, 0.8, 2.0)),
    "flipped": Grid(SHAPE, (0.7, 0.8, 2.0), direction=(1, 0, 0, 0, 1, 0, 0, 0, -1)),
    "coronal": Grid(SHAPE, (0.7, 0.8, 2.0), direction=(1, 0, 0, 0, 0, 1, 0, -1, 0)),
    "oblique": Grid(SHAPE, (0.7, 0.8, 2.0), direction=TILT),
}


@pytest.fixture(params=list(GRIDS))
def grid(request):
    return GRIDS[request.param]


@pytest.fixture
def hu():
    return np.random.default_rng(3).integers(-1024, 300, SHAPE, dtype=np.int16)


def make_masks():
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    lungs = np.zeros(SHAPE, np.uint8)
    lungs[((x - 15) / 9) ** 2 + ((y - 20) / 15) ** 2 + ((z - 15) / 11) ** 2 < 1] = 1
    lungs[((x - 35) / 9) ** 2 + ((y - 20) / 15) ** 2 + ((z - 13) / 9) ** 2 < 1] = 2
    infection = ((x - 14) / 5) ** 2 + ((y - 25) / 6) ** 2 + ((z - 12) / 6) ** 2 < 1
    return lungs, infection & (lungs > 0)


def assert_same(counts, other):
    np.testing.assert_array_equal(counts.voxels, other.voxels)
    np.testing.assert_allclose(counts.sums, other.sums, atol=1e-6)


def test_numbers_are_those_of_the_report(grid, hu):
    lungs, infection = make_masks()
    numbers = numbers_of(LiveCounts(hu, grid).update(BOX, lungs[BOX], infection[BOX]))
    segmentation = Segmentation(lungs, infection, infection.astype(np.uint8), grid)
    report = quantify(Volume(hu, grid), segmentation)["lungs"]
    for region, key in zip(numbers.lungs, ("right", "left", "both"), strict=True):
        for name in ("volume_ml", "infection_ml", "involvement_percent", "mean_hu", "infection_mean_hu"):
            expected = report[key][name]
            assert getattr(region, name) == (None if expected is None else pytest.approx(expected, abs=0.06)), (
                key,
                name,
            )


def test_every_edit_gives_the_counts_of_a_fresh_start(grid, hu):
    lungs, infection = (mask[BOX] for mask in make_masks())
    live = LiveCounts(hu, grid)
    live.update(BOX, lungs, infection)
    random = np.random.default_rng(0)
    for edit in range(12):
        lungs, infection = lungs.copy(), infection.copy()
        corner = random.integers(0, 20, 3)
        part = tuple(slice(start, start + 6) for start in corner)
        if edit % 3:
            infection[part] = bool(edit % 2)
        else:
            lungs[part] = edit % 2
        assert_same(live.update(BOX, lungs, infection), LiveCounts(hu, grid).update(BOX, lungs, infection))


def test_another_box_gives_the_same_counts(grid, hu):
    lungs, infection = make_masks()
    whole = tuple(slice(0, size) for size in SHAPE)
    live = LiveCounts(hu, grid)
    live.update(BOX, lungs[BOX], infection[BOX])
    voxels = live.update(whole, lungs, infection)
    assert_same(voxels, LiveCounts(hu, grid).update(BOX, lungs[BOX], infection[BOX]))


def test_zones_are_thirds_of_the_height_of_each_lung(grid):
    lungs, _ = make_masks()
    height = heights(grid, tuple(slice(0, size) for size in SHAPE))
    codes = zone_codes(lungs, height, zone_limits(lungs, height))
    position = np.indices(SHAPE)[::-1].reshape(3, -1)
    true_height = (grid.affine_ras[:3, :3] @ position + grid.affine_ras[:3, 3:])[2].reshape(SHAPE)
    for label, first in ((1, 1), (2, 4)):
        lung = lungs == label
        bottom, top = true_height[lung].min(), true_height[lung].max()
        share = (true_height - bottom) / (top - bottom)
        for zone, (low, high) in enumerate(((2 / 3, 1), (1 / 3, 2 / 3), (0, 1 / 3))):
            inside = share[codes == first + zone]
            assert inside.min() >= low - 1e-6
            assert inside.max() <= high + 1e-6
        np.testing.assert_array_equal(lung, (codes >= first) & (codes < first + 3))


def test_zones_add_up_to_the_lungs(grid, hu):
    lungs, infection = (mask[BOX] for mask in make_masks())
    numbers = numbers_of(LiveCounts(hu, grid).update(BOX, lungs, infection))
    for lung, zones in zip(numbers.lungs, (numbers.zones[:3], numbers.zones[3:]), strict=False):
        assert sum(zone.volume_ml for zone in zones) == pytest.approx(lung.volume_ml)
        assert sum(zone.infection_ml for zone in zones) == pytest.approx(lung.infection_ml)
    assert [zone.name for zone in numbers.zones][:2] == ["right upper zone", "right middle zone"]


def test_lobes_take_the_place_of_zones_in_the_severity(hu):
    lungs, infection = (mask[BOX] for mask in make_masks())
    lobes = lungs.copy()
    lobes[(lungs == 1) & (np.arange(lungs.shape[0]) > 12)[:, None, None]] = 3
    lobes[lungs == 2] = 5
    counts = LiveCounts(hu, GRIDS["axial"]).update(BOX, lungs, infection, lobes)
    numbers = numbers_of(counts, lobes=True)
    assert [lobe.name for lobe in numbers.lobes] == [f"{name} lobe" for name in LOBES]
    assert sum(lobe.volume_ml for lobe in numbers.lobes) == pytest.approx(numbers.lungs[2].volume_ml)
    assert numbers.severity.name == "CT severity score"
    assert numbers.severity.score is None, "two lobes are missing"
    assert numbers_of(counts).severity.name == "Six-zone score"


def test_kinds_of_tissue():
    hu = np.full((1, 1, 8), -900, np.int16)
    hu[0, 0, :6] = (-751, -750, -301, -300, 49, 50)
    lungs, infection = np.ones(hu.shape, np.uint8), np.ones(hu.shape, bool)
    infection[..., 6:] = False
    counts = LiveCounts(hu, Grid(hu.shape, (10, 10, 10))).update(tuple(slice(0, n) for n in hu.shape), lungs, infection)
    right = numbers_of(counts).lungs[0]
    assert right.infection_kinds_ml == {"ground_glass": 2.0, "consolidation": 2.0}
    assert right.kinds_percent["inflated"] == pytest.approx(37.5)
    assert right.kinds_percent["infiltrated"] == pytest.approx(12.5)
    only = numbers_of(counts, infection_ranges={"all": HuRange(-3000, 5000)}).lungs[0]
    assert only.infection_kinds_ml == {"all": 6.0}


def test_histogram_and_infection_outside_the_lungs(hu):
    lungs, infection = (mask[BOX] for mask in make_masks())
    infection = infection.copy()
    infection[0, 0, :10] = True
    numbers = numbers_of(LiveCounts(hu, GRIDS["axial"]).update(BOX, lungs, infection))
    assert numbers.outside_ml == pytest.approx(10 * GRIDS["axial"].voxel_ml)
    assert numbers.histogram.lungs_ml.sum() == pytest.approx(numbers.lungs[2].volume_ml)
    assert numbers.histogram.infection_ml.sum() == pytest.approx(numbers.lungs[2].infection_ml)
    assert numbers.histogram.hu[0] == -1095


def test_nothing_is_not_an_error(hu):
    empty = np.zeros(SHAPE, np.uint8)[BOX]
    numbers = numbers_of(LiveCounts(hu, GRIDS["axial"]).update(BOX, empty, empty.astype(bool)))
    assert numbers.lungs[2].volume_ml == 0
    assert numbers.lungs[2].mean_hu is None
    assert numbers.severity.score is None
