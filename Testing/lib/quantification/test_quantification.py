"""The report on a segmentation, compared with its definitions, with ITK, and with numbers computed by hand."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from support.grids import ball, chest, grid_of, grids, middle, positions

from CovidSegLib.quantification import quantify
from CovidSegLib.quantification.lesions import SMALLEST_LESION_ML, find_lesions
from CovidSegLib.segmentation import Segmentation
from CovidSegLib.volume import Volume

GRID = grid_of((10, 20, 30), (2.0, 2.5, 5.0), (-30.0, 10.0, -500.0))  # 25 cubic mm a voxel


def case(lungs, infection, array=None, grid=GRID, **fields):
    """A CT and its segmentation, with masks given as boxes (z, y, x): (label, box) for the lungs."""
    label, mask = np.zeros(grid.shape, np.uint8), np.zeros(grid.shape, bool)
    for value, box in lungs:
        label[box] = value
    for box in infection:
        mask[box] = True
    array = np.zeros(grid.shape, np.int16) if array is None else array
    volume = Volume(array, grid, **{key: fields.pop(key) for key in ("source", "warnings") if key in fields})
    return volume, Segmentation(label, mask, mask.astype(np.uint8), grid, **fields)


RIGHT, LEFT = np.s_[:, :, :10], np.s_[:, :, 20:]
BOTH_LUNGS = [(1, RIGHT), (2, LEFT)]


def test_a_case_computed_by_hand():
    array = np.full(GRID.shape, 50, np.int16)
    array[RIGHT], array[LEFT] = -800, -700
    array[2:4, 5:10, 2:4] = -300
    array[2:4, 5:10, 22:27] = -400
    report = quantify(*case(BOTH_LUNGS, [np.s_[2:4, 5:10, 2:4], np.s_[2:4, 5:10, 22:27]], array))
    assert report["schema"] == "covidseg-report/1"
    assert report["notice"] == "Research software. Not for diagnosis."
    assert report["lungs"]["right"] == {
        "volume_ml": 50.0,
        "infection_ml": 0.5,
        "involvement_percent": 1.0,
        "mean_hu": -795.0,
        "infection_mean_hu": -300.0,
    }
    assert report["lungs"]["left"] == {
        "volume_ml": 50.0,
        "infection_ml": 1.25,
        "involvement_percent": 2.5,
        "mean_hu": -692.5,
        "infection_mean_hu": -400.0,
    }
    assert report["lungs"]["both"] == {
        "volume_ml": 100.0,
        "infection_ml": 1.75,
        "involvement_percent": 1.75,
        "mean_hu": -743.8,
        "infection_mean_hu": -371.4,
    }
    # Voxels 22 to 26 along x of 2 mm from -30, 5 to 9 along y of 2.5 mm from 10, 2 to 3 along z of 5 mm from -500.
    assert report["lesions"]["list"][0] == {
        "number": 1,
        "lung": "left",
        "volume_ml": 1.25,
        "mean_hu": -400.0,
        "centre_lps_mm": [18.0, 27.5, -487.5],
        "centre_ras_mm": [-18.0, -27.5, -487.5],
        "inside_lps_mm": [18.0, 27.5, -490.0],
        "inside_ras_mm": [-18.0, -27.5, -490.0],
    }
    assert [(lesion["number"], lesion["lung"]) for lesion in report["lesions"]["list"]] == [(1, "left"), (2, "right")]


@settings(max_examples=40, deadline=None)
@given(grid=grids(), seed=st.integers(0, 1000), kind=st.sampled_from([np.int16, np.float32]))
def test_numbers_agree_with_their_definitions(grid, seed, kind):
    random = np.random.default_rng(seed)
    lungs = random.choice(np.array([0, 1, 1, 2], np.uint8), grid.shape)
    infection = (random.random(grid.shape) < 0.4) & (lungs > 0)
    array = random.integers(-1000, 500, grid.shape).astype(kind)
    report = quantify(Volume(array, grid), Segmentation(lungs, infection, lungs, grid))
    voxel = abs(np.linalg.det(grid.affine_lps)) / 1000
    for name, lung in {"right": lungs == 1, "left": lungs == 2, "both": lungs > 0}.items():
        numbers, infected = report["lungs"][name], infection & lung
        assert numbers["volume_ml"] == pytest.approx(lung.sum() * voxel, abs=6e-4)
        assert numbers["infection_ml"] == pytest.approx(infected.sum() * voxel, abs=6e-4)
        for key, mask in {"mean_hu": lung, "infection_mean_hu": infected}.items():
            if mask.any():
                assert numbers[key] == pytest.approx(array[mask].mean(dtype=float), abs=0.051)
            else:
                assert numbers[key] is None
        if lung.any():
            assert numbers["involvement_percent"] == pytest.approx(100 * infected.sum() / lung.sum(), abs=0.0051)
    lesions = report["lesions"]
    listed = sum(lesion["volume_ml"] for lesion in lesions["list"]) + lesions["smaller"]["volume_ml"]
    assert listed == pytest.approx(report["lungs"]["both"]["infection_ml"], abs=6e-4 * (len(lesions["list"]) + 2))
    assert lesions["count"] == len(lesions["list"])
    volumes = [lesion["volume_ml"] for lesion in lesions["list"]]
    assert volumes == sorted(volumes, reverse=True)


@settings(max_examples=30, deadline=None)
@given(grid=grids(), seed=st.integers(0, 1000), share=st.floats(0.01, 0.3))
def test_lesions_agree_with_itk(grid, seed, share):
    mask = np.random.default_rng(seed).random(grid.shape) < share
    components = sitk.ConnectedComponent(grid.to_image(mask.astype(np.uint8)), True)
    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.Execute(components)
    expected = {label: statistics.GetPhysicalSize(label) / 1000 for label in statistics.GetLabels()}
    lesions = find_lesions(mask, sitk.GetArrayFromImage(components), grid)
    assert len(lesions) == len(expected)
    assert [lesion["volume_ml"] for lesion in lesions] == pytest.approx(sorted(expected.values(), reverse=True))
    for lesion in lesions:
        label = round(lesion["mean_hu"])  # the labels serve as HU
        np.testing.assert_allclose(lesion["centre_lps_mm"], statistics.GetCentroid(label), atol=1e-3)
        np.testing.assert_allclose(lesion["centre_ras_mm"], np.multiply(lesion["centre_lps_mm"], [-1, -1, 1]))
        assert lesion["volume_ml"] == pytest.approx(expected[label])


@settings(max_examples=30, deadline=None)
@given(grid=grids(), seed=st.integers(0, 1000))
def test_the_inside_point_is_the_voxel_nearest_to_the_centre(grid, seed):
    mask = np.random.default_rng(seed).random(grid.shape) < 0.15
    labels = sitk.GetArrayFromImage(sitk.ConnectedComponent(grid.to_image(mask.astype(np.uint8)), True))
    for lesion in find_lesions(mask, labels, grid):
        voxels = positions(grid)[labels == round(lesion["mean_hu"])]
        inside, centre = np.array(lesion["inside_lps_mm"]), np.array(lesion["centre_lps_mm"])
        assert np.abs(voxels - inside).max(axis=1).min() < 1e-3
        nearest = np.linalg.norm(voxels - centre, axis=1).min()
        assert np.linalg.norm(inside - centre) == pytest.approx(nearest, abs=1e-3)


def test_the_inside_point_of_a_crescent_is_inside_and_its_centre_is_not():
    crescent = ball(GRID, middle(GRID), 20) & ~ball(GRID, middle(GRID), 16)
    (lesion,) = find_lesions(crescent, crescent.astype(np.int16), GRID)
    inside = GRID.to_image(crescent.astype(np.uint8)).TransformPhysicalPointToIndex(lesion["inside_lps_mm"])
    assert crescent[inside[::-1]]
    assert np.linalg.norm(np.subtract(lesion["inside_lps_mm"], lesion["centre_lps_mm"])) > 14


def test_voxels_that_share_a_corner_are_one_lesion():
    report = quantify(*case(BOTH_LUNGS, [np.s_[1:3, 1:3, 1:3], np.s_[3:5, 3:5, 3:5]]))
    assert report["lesions"]["count"] == 1
    assert report["lesions"]["list"][0]["volume_ml"] == 0.4


def test_infection_across_both_lungs_is_one_lesion_in_each():
    touching = [(1, np.s_[:, :, :15]), (2, np.s_[:, :, 15:])]
    lesions = quantify(*case(touching, [np.s_[2:4, 2:4, 12:19]]))["lesions"]
    assert [(lesion["lung"], lesion["volume_ml"]) for lesion in lesions["list"]] == [("left", 0.4), ("right", 0.3)]


def test_small_components_count_towards_the_volumes_but_not_as_lesions():
    specks = [np.s_[2, 2, 2:5], np.s_[6, 6, 2:6], np.s_[6, 12, 22:25]]  # 0.075, 0.1 and 0.075 ml
    report = quantify(*case(BOTH_LUNGS, specks))
    assert report["lungs"]["both"]["infection_ml"] == 0.25
    assert report["lesions"]["smallest_counted_ml"] == SMALLEST_LESION_ML == 0.1
    assert report["lesions"]["count"] == 1
    assert report["lesions"]["list"][0]["volume_ml"] == 0.1
    assert report["lesions"]["smaller"] == {"count": 2, "volume_ml": 0.15}


def test_no_infection():
    report = quantify(*case(BOTH_LUNGS, []))
    assert report["lungs"]["both"]["infection_ml"] == 0.0
    assert report["lungs"]["both"]["involvement_percent"] == 0.0
    assert report["lungs"]["both"]["infection_mean_hu"] is None
    assert report["lesions"] == {
        "count": 0,
        "smallest_counted_ml": 0.1,
        "smaller": {"count": 0, "volume_ml": 0.0},
        "list": [],
    }


@pytest.mark.parametrize("lungs", [[], [(2, LEFT)]])
def test_a_missing_lung(lungs):
    report = quantify(*case(lungs, [np.s_[2:5, 2:5, 22:25]] if lungs else []))
    nothing = {"volume_ml": 0.0, "infection_ml": 0.0}
    unknown = dict.fromkeys(["involvement_percent", "mean_hu", "infection_mean_hu"])
    assert report["lungs"]["right"] == nothing | unknown
    assert report["lungs"]["both"] == report["lungs"]["left"]
    assert report["warnings"] == []


def test_infection_outside_the_lungs_is_reported_and_not_counted():
    report = quantify(*case(BOTH_LUNGS, [np.s_[2:4, 2:4, 8:12]]))
    assert report["lungs"]["both"]["infection_ml"] == 0.2
    assert report["lesions"]["list"][0]["volume_ml"] == 0.2
    assert report["warnings"] == ["0.200 ml of infection lie outside the lungs and are not counted."]


def test_each_warning_appears_once_in_order():
    volume, segmentation = chest()
    volume = replace(volume, warnings=("Thick slices.", "Sharp kernel."))
    segmentation = replace(segmentation, warnings=("Sharp kernel.", "Small lungs."))
    assert quantify(volume, segmentation)["warnings"] == ["Thick slices.", "Sharp kernel.", "Small lungs."]


def test_the_report_is_json_for_any_provenance_and_ct():
    array = np.zeros(GRID.shape, np.float32)
    array[0, 0, 0] = math.nan
    provenance = {"seconds": np.float32(1.5), "shape": np.array([1, 2]), "loss": math.inf, "n": np.int64(3), "a": (1,)}
    volume, segmentation = case(
        BOTH_LUNGS, [np.s_[0:3, 0:3, 0:3]], array, source={"kernel": "B30"}, provenance=provenance
    )
    report = quantify(volume, segmentation)
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["input"] == {"kernel": "B30"}
    assert report["provenance"] == {"seconds": 1.5, "shape": [1, 2], "loss": None, "n": 3, "a": [1]}
    assert report["lungs"]["right"]["mean_hu"] is None
    assert report["lungs"]["left"]["mean_hu"] == 0.0
    report["provenance"]["n"] = 4
    assert provenance["n"] == 3


def test_ct_and_segmentation_must_have_the_same_shape():
    volume, _ = chest()
    _, segmentation = case(BOTH_LUNGS, [])
    with pytest.raises(ValueError, match="shape"):
        quantify(volume, segmentation)
