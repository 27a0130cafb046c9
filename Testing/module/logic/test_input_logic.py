"""The logic of the section "input", without a panel."""

import harness
import pytest
import slicer

import CovidSeg
from CovidSegLib.errors import InputError
from CovidSegLib.models import Model, installed
from CovidSegModule.logic import input as input_logic


def test_segment_waits_for_the_result():
    ct = harness.make_ct()
    result = harness.make_logic().segment(ct)
    assert result.segmentation is slicer.mrmlScene.GetFirstNodeByName("CT infection")


def test_segment_raises_the_message_for_the_user():
    with pytest.raises(RuntimeError, match="no lungs were found"):
        harness.make_logic(program=harness.fake("unusable")).segment(harness.make_ct())


def test_unreadable_models_are_logged(caplog):
    def list_models():
        raise OSError("no such folder")

    assert harness.make_logic(list_models=list_models).input.models() == []
    assert "no such folder" in caplog.text


def test_the_card_of_a_missing_model():
    with pytest.raises(InputError, match="no model"):
        harness.make_logic().input.model_card("no-such-model")


def test_the_logic_is_that_of_slicer_by_default():
    logic = CovidSeg.CovidSegLogic()
    assert logic.input.models()
    assert logic.parameters().node is logic.getParameterNode()


def test_models_of_lung_tumours_are_not_offered(tmp_path, monkeypatch):
    own = installed()[0]
    tumours = Model(tmp_path / "tumours", {**own.card, "finding": "tumour"})
    monkeypatch.setattr(input_logic, "installed", lambda: [own, tumours])
    assert CovidSeg.CovidSegLogic().input.models() == [own]
