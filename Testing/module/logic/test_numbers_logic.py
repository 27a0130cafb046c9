"""All numbers of a result, in its nodes, in a file and as text."""

import csv
import io

import harness
import numpy as np
import pytest
import slicer

from CovidSegModule.logic.numbers import NumbersLogic
from CovidSegModule.scene.review import Reviews
from CovidSegModule.scene.voxels import BoxArray, set_segment_voxels, whole

SHAPE = (30, 48, 64)
VOXEL_ML = 2.9 * 3.1 * 5.3 / 1000


@pytest.fixture
def reviews():
    return Reviews()


@pytest.fixture
def logic(reviews):
    return NumbersLogic(reviews)


@pytest.fixture
def result():
    return harness.make_result(harness.make_ct())


def edit_infection(reviews, result, mask):
    reviews.of(result).write_infection(BoxArray(mask, whole(SHAPE)))


def lesions(logic, result):
    """Count the lesions in steps. Return their number in the right lung, in the left lung and in both."""
    steps = logic.lesion_steps(result)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_numbers_are_those_of_the_voxels(logic, result):
    painted = harness.painted()
    numbers = logic.numbers(result)
    right, left, both = numbers.lungs
    assert right.volume_ml == pytest.approx(np.isin(painted, (-850, -500)).sum() * VOXEL_ML)
    assert left.mean_hu == -851
    assert both.infection_ml == pytest.approx((painted == -500).sum() * VOXEL_ML)
    assert right.infection_kinds_ml["ground_glass"] == right.infection_ml
    assert numbers.severity.name == "Six-zone score"
    assert numbers.severity.score >= 1


def test_numbers_follow_every_edit(logic, reviews, result):
    logic.numbers(result)
    infection = harness.painted() == -500
    infection[10:20, 20:30, 40:50] = True
    edit_infection(reviews, result, infection)
    edited = logic.numbers(result)
    fresh = NumbersLogic(reviews).numbers(result)
    assert edited.lungs == fresh.lungs
    assert edited.zones == fresh.zones
    assert edited.lungs[1].infection_ml > 0
    lung = reviews.of(result).mask("left_lung").full(SHAPE)
    lung[:8] = False
    reviews.of(result).write("left_lung", BoxArray(lung, whole(SHAPE)))
    assert logic.numbers(result).zones == NumbersLogic(reviews).numbers(result).zones


def test_counting_in_pieces(logic, result):
    assert not logic.is_ready(result)
    pieces = 0
    while logic.prepare(result):
        pieces += 1
    assert pieces > 3
    assert logic.is_ready(result)
    assert not logic.prepare(result)


def test_bounds_of_ground_glass(logic, result):
    right = logic.numbers(result, bounds=(-900, -600, -400)).lungs[0]
    assert right.infection_kinds_ml["ground_glass"] == 0
    assert right.infection_kinds_ml["consolidation"] == right.infection_ml


def test_lesions_are_counted_as_in_the_report(logic, reviews, result):
    assert lesions(logic, result) == (1, 0, 1)
    infection = harness.painted() == -500
    infection[10:14, 20:24, 45:49] = True
    infection[20, 20, 45] = True  # smaller than a lesion
    edit_infection(reviews, result, infection)
    assert lesions(logic, result) == (1, 1, 2)
    edit_infection(reviews, result, np.zeros(SHAPE, bool))
    assert lesions(logic, result) == (0, 0, 0)


def test_nodes(logic, result):
    logic.write_nodes(result, logic.numbers(result))
    table = result.GetNodeReference("CovidSeg.Regions")
    assert table.GetNumberOfRows() == 9
    assert table.GetCellText(0, 0) == "Right lung"
    assert float(table.GetCellText(2, 1)) == pytest.approx(logic.numbers(result).lungs[2].volume_ml)
    assert "Yuan" in table.GetDescription()
    chart = result.GetNodeReference("CovidSeg.Chart")
    assert chart.GetNumberOfPlotSeriesNodes() == 2
    series = chart.GetNthPlotSeriesNode(1)
    histogram = series.GetTableNode()
    assert histogram is result.GetNodeReference("CovidSeg.Histogram")
    values = slicer.util.arrayFromTableColumn(histogram, series.GetYColumnName())
    assert values.sum() == pytest.approx(logic.numbers(result).lungs[2].infection_ml)
    count = slicer.mrmlScene.GetNumberOfNodes()
    logic.write_nodes(result, logic.numbers(result))
    assert slicer.mrmlScene.GetNumberOfNodes() == count


def test_nodes_survive_saving_and_loading(logic, result, tmp_path):
    logic.write_nodes(result, logic.numbers(result))
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(False)
    assert slicer.mrmlScene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    result = slicer.util.getNode("CT infection")
    assert result.GetNodeReference("CovidSeg.Regions").GetNumberOfRows() == 9
    chart = result.GetNodeReference("CovidSeg.Chart")
    assert chart.GetNthPlotSeriesNode(0).GetTableNode() is result.GetNodeReference("CovidSeg.Histogram")
    count = slicer.mrmlScene.GetNumberOfNodes()
    logic = NumbersLogic(Reviews())
    logic.write_nodes(result, logic.numbers(result))
    assert slicer.mrmlScene.GetNumberOfNodes() == count


def test_csv(logic, result, tmp_path):
    numbers = logic.numbers(result)
    logic.write_csv(tmp_path / "numbers.csv", numbers)
    text = (tmp_path / "numbers.csv").read_text(encoding="utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0][:3] == ["Region", "Volume (ml)", "Infection (ml)"]
    assert rows[1][0] == "Right lung"
    assert float(rows[3][2]) == pytest.approx(numbers.lungs[2].infection_ml, abs=1e-3)
    assert ["Six-zone score", str(numbers.severity.score), "of 24"] in rows
    assert logic.as_csv(numbers, "\t").splitlines()[0].split("\t") == rows[0]


LOBES = {
    "TotalSegmentator": (
        "lung_upper_lobe_right",
        "lung_middle_lobe_right",
        "lung_lower_lobe_right",
        "lung_upper_lobe_left",
        "lung_lower_lobe_left",
    ),
    "words": (
        "superior lobe of right lung",
        "middle lobe of right lung",
        "inferior lobe of right lung",
        "superior lobe of left lung",
        "inferior lobe of left lung",
    ),
}
CODES = (
    ("45653009", "24028007"),
    ("72481006", ""),
    ("90572001", "24028007"),
    ("45653009", "7771000"),
    ("41224006", ""),
)


@pytest.mark.parametrize("kind", [*LOBES, "SNOMED CT"])
def test_severity_by_lobe(logic, result, kind):
    ct = slicer.util.getNode("CT")
    lobes = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Lobes")
    painted = harness.painted()
    right, left = np.isin(painted, (-850, -500)), painted == -851
    z = np.arange(SHAPE[0])[:, None, None]
    masks = (right & (z < 10), right & (z >= 10) & (z < 16), right & (z >= 16), left & (z < 15), left & (z >= 15))
    for index, mask in enumerate(masks):
        name = LOBES.get(kind, "abcde")[index]
        set_segment_voxels(lobes, name, BoxArray(mask, whole(SHAPE)), ct)
        segment = lobes.GetSegmentation().GetSegment(name)
        segment.SetName(name)
        if kind == "SNOMED CT":
            code, side = CODES[index]
            segment.SetTag("TerminologyEntry", f"x~SCT^1^y~SCT^{code}^Lobe~SCT^{side}^Side~z~^^~^^")
    numbers = logic.numbers(result)
    assert numbers.lobes[0].name == "right upper lobe"
    assert [lobe.volume_ml for lobe in numbers.lobes] == [pytest.approx(mask.sum() * VOXEL_ML) for mask in masks]
    assert numbers.severity.name == "CT severity score"
    assert numbers.severity.parts["left upper"] == 0
    slicer.mrmlScene.RemoveNode(lobes)
    assert logic.numbers(result).severity.name == "Six-zone score"


def test_without_the_ct_there_are_no_numbers(logic, result):
    slicer.mrmlScene.RemoveNode(slicer.util.getNode("CT"))
    assert not logic.is_available(result)
    assert logic.numbers(result) is None
    assert not logic.prepare(result)


def test_without_masks_there_are_no_numbers(logic, result):
    result.GetSegmentation().RemoveAllSegments()
    assert logic.numbers(result) is None
