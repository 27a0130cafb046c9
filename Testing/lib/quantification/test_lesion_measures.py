"""Numbers of lesions that are followed, compared with the report and with numbers computed by hand."""

import numpy as np
import pytest
from support.grids import chest, grid_of

from CovidSegLib.quantification import quantify
from CovidSegLib.quantification.lesion_measures import LesionMeasures, Surroundings
from CovidSegLib.quantification.lesion_tracking import LesionTracker, code_voxels
from CovidSegLib.quantification.zones import heights, zone_limits
from CovidSegLib.segmentation import RIGHT_LUNG

SHAPE = (30, 20, 20)
GRID = grid_of(SHAPE, (5.0, 5.0, 5.0), (0.0, 0.0, 0.0))
LUNGS = np.full(SHAPE, RIGHT_LUNG, np.uint8)
BOXES = {"upper": np.s_[22:25, 2:5, 2:5], "middle": np.s_[12:15, 2:5, 2:5], "lower": np.s_[2:6, 2:5, 2:5]}


EVERY_BOX = tuple(BOXES.values())


def measures(lungs=LUNGS, grid=GRID, boxes=EVERY_BOX):
    infection = np.zeros(SHAPE, bool)
    for box in boxes:
        infection[box] = True
    tracker = LesionTracker(grid)
    tracker.update(code_voxels(lungs, infection), by_hand=False)
    return LesionMeasures(tracker)


def limits(lungs, grid):
    return zone_limits(lungs, heights(grid, tuple(slice(0, size) for size in lungs.shape)))


def surroundings(array=None, lungs=LUNGS, grid=GRID, **options):
    array = np.full(SHAPE, -700, np.int16) if array is None else array
    return Surroundings(array, limits(lungs, grid), **options)


def test_numbers_by_hand():
    array = np.full(SHAPE, -700, np.int16)
    array[BOXES["upper"]] = -100
    lobes = np.zeros(SHAPE, np.uint8)
    lobes[15:], lobes[13:15] = 1, 2
    probability = np.full((10, 20, 20), 255, np.uint8)
    lesions = measures().lesions(
        surroundings(
            array,
            probability=probability,
            probability_box=np.s_[14:24, 0:20, 0:20],
            lobes=lobes,
            lobe_names={1: "upper lobe", 2: "middle lobe"},
        )
    )
    assert [lesion.number for lesion in lesions] == [1, 2, 3]
    lower, middle, upper = lesions
    assert (lower.zone, middle.zone, upper.zone) == ("lower", "middle", "upper")
    assert (lower.lobe, middle.lobe, upper.lobe) == (None, "middle lobe", "upper lobe")
    assert (lower.volume_ml, middle.volume_ml) == (4.5, 3.375)
    assert (middle.mean_hu, upper.mean_hu) == (-700, -100)
    assert (lower.mean_probability, middle.mean_probability) == (0, pytest.approx(1 / 3))
    assert lower.box == BOXES["lower"]
    assert lower.inside == (3, 3, 3)
    assert {lesion.side for lesion in lesions} == {"right"}


def test_zones_follow_the_patient_and_not_the_array():
    """On a grid that is stored from head to feet, the first slices are the upper zone."""
    grid = grid_of(SHAPE, (5.0, 5.0, 5.0), (0.0, 0.0, 0.0), flips=(1, 1, -1))
    zones = [lesion.zone for lesion in measures(grid=grid).lesions(surroundings(grid=grid))]
    assert zones == ["upper", "middle", "lower"]


def test_infection_outside_the_lungs_has_no_zone():
    lungs = LUNGS.copy()
    lungs[:15] = 0
    lesions = measures(lungs).lesions(surroundings(lungs=lungs))
    assert [(lesion.side, lesion.zone) for lesion in lesions] == [
        ("outside", None),
        ("outside", None),
        ("right", "middle"),
    ]


def test_only_what_has_changed_is_measured_again(monkeypatch):
    followed, around = measures(), surroundings()
    before = followed.lesions(around)
    measured = []
    measure = followed._measure
    monkeypatch.setattr(followed, "_measure", lambda number, _: measured.append(number) or measure(number, around))
    tracker = followed.tracker
    infection = tracker.code > 0
    infection[BOXES["upper"]] = False
    infection[22:24, 2:5, 2:5] = True
    tracker.update(code_voxels(LUNGS, infection))
    after = followed.lesions(around)
    assert measured == [3]
    assert after[:2] == before[:2]
    assert (after[2].state, after[2].volume_ml) == ("edited", 2.25)


def test_small_components_are_not_listed():
    lesions = measures(boxes=[np.s_[2, 2, 2], np.s_[5, 5, 5:7]]).lesions(surroundings())
    assert [lesion.volume_ml for lesion in lesions] == [0.25, 0.125]
    grid = grid_of(SHAPE, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    assert measures(grid=grid, boxes=[np.s_[2, 2, 2]]).lesions(surroundings(grid=grid)) == []


def test_the_numbers_are_those_of_the_report():
    volume, segmentation = chest()
    tracker = LesionTracker(volume.grid)
    tracker.update(code_voxels(segmentation.lungs, segmentation.infection), by_hand=False)
    around = Surroundings(volume.array, limits(segmentation.lungs, volume.grid))
    lesions = LesionMeasures(tracker).lesions(around)
    report = quantify(volume, segmentation)["lesions"]["list"]
    assert sorted((lesion.side, round(lesion.volume_ml, 3), round(lesion.mean_hu, 1)) for lesion in lesions) == sorted(
        (lesion["lung"], lesion["volume_ml"], lesion["mean_hu"]) for lesion in report
    )
