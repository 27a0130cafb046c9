"""The attributes that record where a result comes from."""

import json

import harness
import slicer

from CovidSegLib.notices import NOT_FOR_DIAGNOSIS
from CovidSegModule.scene import tables


def test_provenance_survives_saving(tmp_path):
    result = harness.segment_ct(harness.make_ct())
    scene_path = tmp_path / "scene.mrb"
    assert slicer.mrmlScene.WriteToMRB(str(scene_path))
    slicer.mrmlScene.Clear(False)
    assert slicer.mrmlScene.ReadFromMRB(str(scene_path))
    node = slicer.mrmlScene.GetFirstNodeByName("CT infection")
    assert node is not result.segmentation
    assert node.GetAttribute("CovidSeg.Model") == "fake"
    assert node.GetAttribute("CovidSeg.ModelSHA256") == "ab" * 32
    assert node.GetAttribute("CovidSeg.Version") == "1.2.3"
    assert json.loads(node.GetAttribute("CovidSeg.Provenance"))["versions"] == {"covidseg": "1.2.3"}
    assert NOT_FOR_DIAGNOSIS in node.GetDescription()
    rows = tables.read_rows(tables.table_of(node))
    assert rows[1].infection_mean_hu is None
    assert rows[2].lesions == 1
