"""The section "agreement": two readers of a worklist compared in the panel."""

import csv
import shutil

import harness
import numpy as np
import pytest
import qt
import worklists
from harness import click, shown

from CovidSegLib.cohorts import worklist as library
from CovidSegLib.cohorts.corrections import Correction
from CovidSegLib.cohorts.readings import Reading, save_reading
from CovidSegLib.cohorts.saving import save
from CovidSegLib.cohorts.worklist import open_worklist


@pytest.fixture
def cohort(tmp_path, monkeypatch):
    """Three cases that Anna and Ben have reviewed. Anna has changed "a", Ben has changed "a" and "b"."""
    monkeypatch.setattr(library, "user_data_folder", lambda name: tmp_path / "own" / name)
    path = worklists.make_cohort(tmp_path / "cohort")
    store = open_worklist(path).store
    for reader, shifts in (("Anna", {"a": 1}), ("Ben", {"a": -1, "b": 2})):
        for number, case in enumerate("abc"):
            reading = Reading(case, reader, opened=1.0, reviewed=2.0, grade="mild" if reader == "Anna" else "severe")
            if case not in shifts:
                save_reading(store, reading)
                continue
            volume, segmentation = worklists.painted_case(number)
            masks = {**segmentation.segments, "infection": np.roll(segmentation.infection, shifts[case], 1)}
            save(store, reading, Correction(masks, volume.grid))
    return path


def compare(panel):
    click(panel.ui.compareReadersButton)
    harness.wait_until(lambda: not panel.sections["agreement"].logic.is_running)
    harness.settle(0.2)


def test_two_readers_are_compared_and_saved(panel, cohort, tmp_path, monkeypatch):
    assert not shown(panel.ui.agreementPanel)
    worklists.Reader(panel).open(cohort)
    assert [panel.ui.firstReaderSelector.currentText, panel.ui.secondReaderSelector.currentText] == ["Anna", "Ben"]
    assert not shown(panel.ui.agreementTable)
    compare(panel)
    table = panel.ui.agreementTable
    cells = [[table.item(row, column).text() for column in range(5)] for row in range(table.rowCount)]
    assert [row[0] for row in cells] == ["a", "b", "c"]
    masks = [worklists.painted_case(number)[1].infection for number in range(3)]
    first, second = np.roll(masks[0], 1, 1), np.roll(masks[0], -1, 1)
    dice = 2 * (first & second).sum() / (first.sum() + second.sum())
    assert cells[0][1] == f"{dice:.3f}" and cells[2][1] == "1.000"
    assert cells[0][4] == "0.0"
    assert panel.ui.agreementLabel.text.startswith("Mean Dice 0.")
    assert "in 3 cases" in panel.ui.agreementLabel.text and "Same grade in 0 of 3." in panel.ui.agreementLabel.text
    monkeypatch.setattr(qt.QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "x.csv"), ""))
    click(panel.ui.exportAgreementButton)
    rows = list(csv.reader((tmp_path / "x.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert rows[0][2:4] == ["Anna (ml)", "Ben (ml)"] and float(rows[1][1]) == pytest.approx(dice, abs=1e-4)


def test_a_damaged_file_is_a_sentence_and_the_others_are_compared(panel, cohort):
    for file in (cohort.parent / "readings").rglob("Ben-*/*.seg.nrrd"):
        file.write_bytes(b"NRRD0004\n")
    shutil.rmtree(cohort.parent / "cases" / "c")
    worklists.Reader(panel).open(cohort)
    compare(panel)
    text = panel.ui.agreementLabel.text
    assert text.count("is damaged") == 2 and "moved or deleted" in text
    assert text.startswith("No case was reviewed by both") and not shown(panel.ui.agreementTable)


def test_one_reader_cannot_be_compared(panel, tmp_path):
    path = worklists.make_cohort(tmp_path / "cohort", "a")
    worklists.Reader(panel).open(path)
    assert panel.ui.agreementLabel.text == "Two readers have to review cases first."
    assert not panel.ui.compareReadersButton.enabled
    store = open_worklist(path).store
    for reader in ("Zoe", "Anna"):
        save_reading(store, Reading("a", reader, opened=1.0, reviewed=2.0))
        panel.update()
    assert [panel.ui.firstReaderSelector.currentText, panel.ui.secondReaderSelector.currentText] == ["Zoe", "Anna"]
    assert panel.ui.compareReadersButton.enabled
