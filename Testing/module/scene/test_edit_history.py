"""Undo of edits and decisions, also after a scene was saved and loaded."""

import base64
import json
import zlib

import harness
import numpy as np
import pytest
import slicer

from CovidSegLib.quantification.lesion_tracking import ACCEPTED, PROPOSED, REJECTED
from CovidSegModule.logic.comparison import ComparisonLogic
from CovidSegModule.logic.lesions import LesionsLogic
from CovidSegModule.logic.threshold import ThresholdLogic
from CovidSegModule.scene import edit_history
from CovidSegModule.scene.edit_history import ATTRIBUTE, MOST_BYTES, MOST_EDITS, VERSION
from CovidSegModule.scene.review import Reviews
from CovidSegModule.scene.segmentations import INFECTION


class Session:
    """A result as it is worked with from loading a scene to saving it."""

    def __init__(self, result):
        self.result, self.reviews = result, Reviews()
        self.lesions = LesionsLogic(self.reviews).of(result)
        self.review = self.lesions.review

    @property
    def present(self):
        """The voxels of the infection, and the states of the lesions."""
        mask = self.review.mask(INFECTION)
        states = {lesion.number: lesion.state for lesion in self.lesions.lesions()}
        return mask.full(self.review.grid.shape).tobytes() if mask else b"", states

    def erase(self, slices):
        """Erase the infection in slices, as the Segment Editor does."""
        self.lesions.lesions()
        self.review.editor.saveStateForUndo()
        mask = self.review.mask(INFECTION).full(self.review.grid.shape).copy()
        mask[slices] = False
        harness.edit(self.review, INFECTION, mask)


def start():
    return Session(harness.make_result(harness.make_ct(array=harness.several_lesions())))


def reopened(session, path):
    """Save the scene, close it, load it, and return the session with the result."""
    name = session.result.GetName()
    assert slicer.mrmlScene.WriteToMRB(str(path))
    slicer.mrmlScene.Clear(False)
    assert slicer.mrmlScene.ReadFromMRB(str(path))
    return Session(slicer.util.getNode(name))


def work(session):
    """Accept, reject, merge, erase and bring back the model's masks. Return all states."""
    lesions, states = session.lesions, []
    for act in (
        lambda: lesions.accept([1]),
        lambda: lesions.reject([2]),
        lambda: lesions.merge([1, 4]),
        lambda: session.erase(slice(0, 12)),
        lambda: ComparisonLogic(session.reviews).restore(session.result),
    ):
        states.append(session.present)
        act()
    return [*states, session.present]


def test_everything_can_be_undone_and_redone_after_loading(tmp_path):
    session = start()
    states = work(session)
    assert len({mask for mask, _ in states}) == 3
    loaded = reopened(session, tmp_path / "scene.mrb")
    assert loaded.present == states[-1]
    for state in reversed(states[:-1]):
        loaded.lesions.undo()
        assert loaded.present == state
    loaded.lesions.undo()
    assert loaded.present == states[0], "there is nothing left to undo"
    for state in states[1:]:
        loaded.lesions.redo()
        assert loaded.present == state
    assert states[1][1][1] == ACCEPTED
    assert states[2][1][2] == REJECTED


def test_edits_after_loading_are_undone_first(tmp_path):
    session = start()
    session.lesions.reject([1])
    loaded = reopened(session, tmp_path / "scene.mrb")
    before = loaded.present
    loaded.lesions.accept([3])
    loaded.erase(slice(0, 14))
    last = loaded.present
    loaded.lesions.undo()
    loaded.lesions.undo()
    assert loaded.present == before
    loaded.lesions.undo()
    assert loaded.present[1][1] == PROPOSED
    for _ in range(3):
        loaded.lesions.redo()
    assert loaded.present == last


def test_a_new_edit_ends_redo_after_loading(tmp_path):
    session = start()
    session.lesions.reject([1])
    session.lesions.reject([2])
    loaded = reopened(session, tmp_path / "scene.mrb")
    loaded.lesions.undo()
    loaded.lesions.accept([3])
    accepted = loaded.present
    loaded.lesions.redo()
    assert loaded.present == accepted
    loaded.lesions.undo()
    loaded.lesions.undo()
    assert set(loaded.present[1].values()) == {PROPOSED}


def test_undone_edits_can_be_redone_after_loading(tmp_path):
    session = start()
    session.lesions.reject([1])
    rejected = session.present
    session.lesions.undo()
    loaded = reopened(session, tmp_path / "scene.mrb")
    loaded.lesions.redo()
    assert loaded.present == rejected


def test_a_movement_of_the_slider_is_one_edit(tmp_path):
    session = start()
    before = session.present
    threshold = ThresholdLogic(session.reviews)
    threshold.save_state(session.result)
    masks = set()
    for percent in (60, 80, 95):
        threshold.cut(session.result, percent / 100)
        masks.add(session.present[0])
    assert len(masks) > 1
    loaded = reopened(session, tmp_path / "scene.mrb")
    loaded.lesions.undo()
    assert loaded.present == before


def test_a_cut_that_is_undone_after_loading_is_no_edit_by_hand(tmp_path):
    session = start()
    session.lesions.lesions()
    threshold = ThresholdLogic(session.reviews)
    for percent in (30, 90):
        threshold.save_state(session.result)
        threshold.cut(session.result, percent / 100)
        session.lesions.lesions()
    loaded = reopened(session, tmp_path / "scene.mrb")
    threshold = ThresholdLogic(loaded.reviews)
    assert threshold.threshold(loaded.result) == 0.9
    last = loaded.present
    loaded.lesions.undo()
    assert threshold.threshold(loaded.result) == 0.3
    before = loaded.present
    threshold.save_state(loaded.result)
    threshold.cut(loaded.result, 0.9)
    assert loaded.present[0] == last[0] != before[0], "nothing of the lower cut was left as painted"
    loaded.lesions.undo()
    loaded.lesions.undo()
    assert threshold.threshold(loaded.result) == 0.5
    threshold.cut(loaded.result, 0.3)
    assert loaded.present[0] == before[0], "nothing counts as erased"


def test_what_was_painted_before_loading_is_not_erased_by_undo(tmp_path):
    session = start()
    ThresholdLogic(session.reviews).cut(session.result, 0.3)
    low = session.present[0]
    session.erase(slice(0, 14))
    session.lesions.lesions()
    loaded = reopened(session, tmp_path / "scene.mrb")
    threshold = ThresholdLogic(loaded.reviews)
    assert threshold.threshold(loaded.result) == 0.3
    loaded.lesions.undo()
    assert loaded.present[0] == low
    for percent in (90, 30):
        threshold.cut(loaded.result, percent / 100)
    assert loaded.present[0] == low


def test_a_history_of_other_masks_is_not_used(caplog):
    session = start()
    session.lesions.reject([1])
    mask = np.zeros(session.review.grid.shape, bool)
    mask[14, 20:24, 15:19] = True
    harness.edit(session.review, INFECTION, mask)
    with caplog.at_level("INFO"):
        other = Session(session.result)
        before = other.present
    assert "the masks were changed" in caplog.text
    other.lesions.undo()
    assert other.present == before


def _as_text(content):
    return base64.b64encode(zlib.compress(json.dumps(content).encode())).decode()


def _content(text):
    return json.loads(zlib.decompress(base64.b64decode(text)))


def _with(**changes):
    return lambda text: _as_text(_content(text) | changes)


def _with_threshold(threshold):
    def damage(text):
        content = _content(text)
        content["states"][0][2] = threshold
        return _as_text(content)

    return damage


def _outside(text):
    content = _content(text)
    content["edits"][0][INFECTION][0][1] = 10_000
    return _as_text(content)


def _huge(text):
    content = _content(text)
    content["edits"][0][INFECTION][1] = base64.b64encode(zlib.compress(bytes(10_000_000))).decode()
    return _as_text(content)


def _padded(text):
    """Return a history that is right, but unpacks to more than is read."""
    return base64.b64encode(zlib.compress(b" " * MOST_BYTES + zlib.decompress(base64.b64decode(text)))).decode()


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:40],
        lambda text: "?" + text,
        lambda text: base64.b64encode(b"[]").decode(),
        _with(version=VERSION + 1),
        _with(position=7),
        _with_threshold("nan"),
        _with_threshold("1e9"),
        _with_threshold(0.5),
        _with(states=[]),
        _with(edits=[{"stomach": [[0, 1, 0, 1, 0, 1], ""]}]),
        _outside,
        _huge,
        _padded,
    ],
)
def test_a_damaged_or_foreign_history_is_not_used(damage, caplog):
    session = start()
    session.lesions.reject([1])
    session.result.SetAttribute(ATTRIBUTE, damage(session.result.GetAttribute(ATTRIBUTE)))
    with caplog.at_level("INFO"):
        other = Session(session.result)
    assert "cannot be undone" in caplog.text
    before = other.present
    other.lesions.undo()
    assert other.present == before


def test_the_history_is_limited_in_length(tmp_path):
    session = start()
    for turn in range(MOST_EDITS + 3):
        session.lesions.accept([1 + turn % 4]) if turn % 8 < 4 else session.lesions.restore([])
        session.lesions.reject([1 + turn % 4])
        session.lesions.restore([1 + turn % 4])
    content = _content(session.result.GetAttribute(ATTRIBUTE))
    assert len(content["edits"]) == MOST_EDITS == content["position"]


def test_the_history_is_limited_in_size(monkeypatch):
    session = start()
    session.lesions.reject([1])
    one = len(session.result.GetAttribute(ATTRIBUTE))
    monkeypatch.setattr(edit_history, "MOST_CHARACTERS", one + 100)
    for number in (2, 3, 4):
        session.lesions.reject([number])
        assert len(session.result.GetAttribute(ATTRIBUTE) or "") <= one + 100
    last = Session(session.result)
    assert last.present == session.present


def test_a_change_beyond_the_limit_is_only_forgotten(monkeypatch):
    session = start()
    monkeypatch.setattr(edit_history, "MOST_CHARACTERS", 10)
    session.lesions.reject([1])
    assert session.result.GetAttribute(ATTRIBUTE) is None
    session.lesions.undo()
    assert session.present[1][1] == PROPOSED, "Slicer's own history still has it"
