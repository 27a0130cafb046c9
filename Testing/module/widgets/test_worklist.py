"""The section "worklist", as readers meet it: played by clicks and keys on tiny CTs."""

import shutil
from pathlib import Path

import harness
import numpy as np
import pytest
import qt
import slicer
import worklists
from harness import click, settle, shown

import CovidSeg
from CovidSegLib.cohorts import worklist as library
from CovidSegLib.cohorts.corrections import Correction, read_correction
from CovidSegLib.cohorts.readings import find_reading, readings
from CovidSegLib.cohorts.worklist import open_worklist
from CovidSegModule.worklist import saver
from CovidSegModule.worklist.saver import Job


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A cohort that tests copy."""
    return worklists.make_cohort(tmp_path_factory.mktemp("cohort")).parent


@pytest.fixture
def cohort(original, tmp_path, monkeypatch):
    """The `cohort.sqlite` of a cohort of three cases and one that failed."""
    monkeypatch.setattr(library, "user_data_folder", lambda name: tmp_path / "own" / name)
    shutil.copytree(original, tmp_path / "cohort")
    return tmp_path / "cohort" / "cohort.sqlite"


@pytest.fixture
def anna(panel, cohort):
    reader = worklists.Reader(panel)
    reader.open(cohort)
    return reader


def data_nodes():
    """Return the names of what the user sees in the scene."""
    kinds = ("vtkMRMLVolumeNode", "vtkMRMLSegmentationNode", "vtkMRMLTableNode", "vtkMRMLPlotChartNode")
    return {node.GetName() for kind in kinds for node in slicer.util.getNodesByClass(kind)}


def kinds_of(case):
    """Return the names of the nodes, in alphabetical order, without the case and without numbers that Slicer adds."""
    return sorted(name.removeprefix(f"{case} ").partition("_")[0] for name in data_nodes() if name != case)


def test_a_whole_worklist_by_two_readers(panel, anna, tmp_path):
    """Three cases by Anna and Ben. Each finds what they have left, and nothing of the other."""
    assert anna.column(0) == ["a", "b", "c", "failed"]
    assert anna.column(1) == ["to review"] * 3 + ["failed"]
    assert anna.column(2) == ["2.5 %", "5.0 %", "7.5 %", "–"]
    harness.press(panel, "PgDown")
    anna.wait()
    assert anna.is_open("a")
    harness.wait_until(lambda: panel.ui.resultLabel.text == "a infection")
    volume, segmentation = worklists.painted_case(0)
    assert np.array_equal(slicer.util.arrayFromVolume(panel.parameters.ct), volume.array)
    assert np.array_equal(anna.infection(), segmentation.infection)

    anna.paint()
    panel.ui.gradeSelector.setCurrentIndex(panel.ui.gradeSelector.findData("mild"))
    panel.ui.commentEdit.text = "artefact"
    anna.save()
    assert panel.ui.saveLabel.text == "Everything is saved."
    corrected = anna.infection()
    assert not np.array_equal(corrected, segmentation.infection)
    anna.press("Ctrl+Return")
    assert anna.is_open("b") and anna.column(1)[0] == "reviewed" and anna.column(4)[0] == "Anna"
    assert not any(name.startswith("a") for name in data_nodes()), "the case before is removed"
    anna.press("Ctrl+Return")
    anna.press("Ctrl+Return")
    assert anna.is_open("c") and "3 of 4 cases reviewed by Anna" in panel.ui.worklistProgressLabel.text

    click(panel.ui.changeReaderButton)
    panel.ui.readerEdit.text = "Ben"
    click(panel.ui.readerButton)
    ben = worklists.Reader(panel, "Ben")
    assert ben.logic.case is None and ben.column(1)[0] == "to review" and ben.column(3)[0] == ""
    assert ben.column(4)[0] == "Anna"
    ben.double_click("a")
    assert np.array_equal(ben.infection(), segmentation.infection), "not what Anna has drawn"
    ben.paint(3)
    ben.press("Ctrl+Return")
    ben.press("PgUp")
    assert ben.is_open("a") and panel.ui.reviewedBox.checked
    assert harness.infection_ml(ben.review) > 0 and not np.array_equal(ben.infection(), corrected)

    click(panel.ui.changeReaderButton)
    panel.ui.readerEdit.text = "Anna"
    click(panel.ui.readerButton)
    anna.double_click("a")
    assert np.array_equal(anna.infection(), corrected)
    assert (panel.ui.gradeSelector.currentText, panel.ui.commentEdit.text) == ("mild", "artefact")
    stored = slicer.util.arrayFromSegmentBinaryLabelmap
    assert stored(panel.parameters.result, "left_lung", panel.parameters.ct).sum() == (segmentation.lungs == 2).sum()
    original = anna.review.original("infection").full(corrected.shape)
    assert np.array_equal(original, segmentation.infection), "the machine's masks are kept beside it"


def test_filter_search_and_sort(panel, anna):
    table, ui = panel.sections["worklist"].table, panel.ui
    ui.filterSelector.setCurrentIndex(ui.filterSelector.findData("failed"))
    assert anna.column(0) == ["failed"]
    ui.filterSelector.setCurrentIndex(0)
    table.on_heading(2)
    assert anna.column(0) == ["c", "b", "a", "failed"]
    table.on_heading(2)
    assert anna.column(0) == ["a", "b", "c", "failed"]
    table.on_heading(1)
    assert anna.column(0)[-1] == "failed"
    ui.searchEdit.text = "B"
    assert anna.column(0) == ["b"]
    ui.searchEdit.text = ""
    ui.filterSelector.setCurrentIndex(ui.filterSelector.findData("reviewed"))
    assert anna.column(0) == []


def test_the_next_case_is_read_ahead_and_given_up(anna):
    anna.double_click("a")
    ahead = anna.logic._ahead
    assert ahead.entry.case_id == "b"
    harness.wait_until(lambda: ahead.background.done)
    anna.double_click("c")
    assert anna.is_open("c") and anna.logic._ahead is None
    anna.double_click("a")
    ahead = anna.logic._ahead
    harness.wait_until(lambda: ahead.background.done)
    anna.press("PgDown")
    assert anna.is_open("b")
    assert anna.logic._leaving == []


def test_jumping_while_a_case_is_opened(anna):
    """Every step of opening a case may be the last: nothing of it stays in the scene."""
    anna.double_click("a")
    nodes = kinds_of("a")
    for steps in (0, 2, 5, 9, 14):
        anna.section.open_case("b")
        for _ in range(steps):
            anna.section.on_step()
        anna.double_click("c")
        assert anna.is_open("c")
        assert kinds_of("c") == nodes


def test_failed_cases_show_their_sentence(panel, anna, cohort):
    (cohort.parent / "a.nii.gz").rename(cohort.parent / "moved.nii.gz")
    (cohort.parent / "cases" / "b" / "segmentation.seg.nrrd").write_bytes(b"NRRD0004\n")
    anna.double_click("failed")
    assert panel.ui.caseProblemLabel.text == "No lungs were found in this image."
    assert anna.logic.case is None
    anna.double_click("a")
    assert 'The CT "a.nii.gz" is missing' in panel.ui.caseProblemLabel.text
    assert anna.column(1)[0] == "failed"
    anna.press("PgDown")
    assert anna.is_open("b") and panel.parameters.ct is not None and panel.parameters.result is None
    assert "is damaged" in panel.ui.caseProblemLabel.text
    anna.press("PgDown")
    assert anna.is_open("c") and not shown(panel.ui.caseProblemLabel)
    (cohort.parent / "moved.nii.gz").rename(cohort.parent / "a.nii.gz")
    anna.double_click("a")
    assert anna.is_open("a") and anna.column(1)[0] == "begun"


def test_a_case_without_masks_is_segmented_in_the_panel(panel, tmp_path, cohort):
    volume, _ = worklists.painted_case(0)
    worklists.write_ct(tmp_path / "scans" / "x.nii.gz", volume)
    path = tmp_path / "list.csv"
    path.write_text("where\nscans/x.nii.gz\nscans/nowhere.nii.gz\n")
    reader = worklists.Reader(panel)
    reader.open(path)
    reader.double_click("x")
    assert reader.is_open("x") and panel.parameters.result is None
    harness.segment(panel)
    settle(0.3)
    reader.paint()
    expected = reader.infection()
    reader.save()
    reader.double_click("nowhere")
    assert "is missing" in panel.ui.caseProblemLabel.text
    reader.double_click("x")
    assert np.array_equal(reader.infection(), expected)
    assert path.read_text() == "where\nscans/x.nii.gz\nscans/nowhere.nii.gz\n"
    assert (tmp_path / "list.readings.sqlite").is_file()


def test_decisions_about_lesions_and_the_report_come_back(panel, anna):
    anna.double_click("a")
    settle(0.3)
    harness.press(panel, "L")
    harness.press(panel, "X")
    panel.ui.reportImpressionEdit.setPlainText("Typical | bilateral\nö")
    settle(0.2)
    assert harness.infection_ml(anna.review) == 0
    anna.press("PgDown")
    anna.press("PgUp")
    settle(0.3)
    assert [panel.ui.lesionsTable.item(row, 7).text() for row in range(panel.ui.lesionsTable.rowCount)] == ["rejected"]
    assert panel.ui.reportImpressionEdit.toPlainText() == "Typical | bilateral\nö"
    assert harness.infection_ml(anna.review) == 0
    harness.press(panel, "L")
    harness.press(panel, "X")
    settle(0.2)
    assert harness.infection_ml(anna.review) > 0


def test_looking_at_a_case_writes_no_masks(anna, cohort):
    anna.double_click("a")
    settle(0.3)
    anna.save()
    anna.press("PgDown")
    assert not (cohort.parent / "readings").exists()
    harness.wait_until(lambda: not anna.logic.is_saving)
    row = find_reading(open_worklist(cohort).store, "a", "Anna")
    assert row is not None and row.reviewed is None and row.seconds > 0


def test_closing_the_scene_or_the_module_saves(panel, anna, module_widget, cohort):
    anna.double_click("a")
    anna.paint()
    expected = anna.infection()
    slicer.mrmlScene.Clear(False)
    store = open_worklist(cohort).store
    first = find_reading(store, "a", "Anna")
    assert np.array_equal(read_correction(store.path_of(first.result)).masks["infection"].sum(), expected.sum())
    panel.enter()
    anna.double_click("a")
    assert np.array_equal(anna.infection(), expected)
    panel.ui.commentEdit.text = "last word"
    module_widget.cleanup()
    assert find_reading(store, "a", "Anna").comment == "last word"


def test_after_a_kill_the_last_second_is_missing_at_most(panel, anna, cohort, tmp_path):
    """What was saved before Slicer was killed is there, for another Slicer that opens a copy of the folder."""
    anna.double_click("a")
    anna.paint()
    anna.save()
    expected = anna.infection()
    anna.paint()  # and killed within a second
    shutil.copytree(cohort.parent, tmp_path / "left")
    widget = CovidSeg.CovidSegWidget(logic=harness.make_logic())
    widget.setup()
    widget.enter()
    other = worklists.Reader(widget.panel)
    other.open(tmp_path / "left" / "cohort.sqlite")
    other.double_click("a")
    assert np.array_equal(other.infection(), expected)
    widget.cleanup()
    widget.parent.deleteLater()


def test_a_locked_file_is_tried_again(panel, anna, cohort, monkeypatch):
    monkeypatch.setattr(saver, "RETRY_SECONDS", 0.05)
    anna.logic.worklist.store.patience = 0.01
    anna.double_click("a")
    with open_worklist(cohort).store.writing():
        anna.paint()
        anna.section.on_look()
        harness.wait_until(lambda: "Another program has" in anna.logic.save_problem)
        anna.section.on_look()
        assert "Another program has" in panel.ui.saveLabel.text
        expected = anna.infection()
        anna.press("PgDown")
        assert anna.is_open("b"), "the worklist goes on"
        anna.press("PgUp")
        assert np.array_equal(anna.infection(), expected), "from memory"
    anna.save()
    assert panel.ui.saveLabel.text == "Everything is saved."
    store = open_worklist(cohort).store
    assert read_correction(store.path_of(find_reading(store, "a", "Anna").result)).masks["infection"].any()


def test_a_read_only_worklist_keeps_readings_on_this_computer(panel, cohort, monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        patch.setattr(saver, "is_writable", lambda store: False)
        reader = worklists.Reader(panel)
        reader.open(cohort)
        reader.double_click("a")
        reader.paint()
        reader.save()
        expected = reader.infection()
        assert "kept on this computer" in panel.ui.saveLabel.text
        assert readings(open_worklist(cohort).store) == [] and list((tmp_path / "own").rglob("*.seg.nrrd"))
        reader.press("PgDown")
        reader.press("PgUp")
        assert np.array_equal(reader.infection(), expected)
        click(panel.ui.closeWorklistButton)
        reader.open(cohort)
        reader.double_click("a")
        assert np.array_equal(reader.infection(), expected)
        click(panel.ui.closeWorklistButton)
    reader.open(cohort)
    assert [row.case_id for row in readings(open_worklist(cohort).store)][:1] == ["a"]
    reader.double_click("a")
    assert np.array_equal(reader.infection(), expected)
    assert not list((tmp_path / "own").rglob("*.seg.nrrd"))


def test_two_windows_of_one_reader(panel, anna, cohort):
    widget = CovidSeg.CovidSegWidget(logic=harness.make_logic())
    widget.setup()
    other = worklists.Reader(widget.panel)
    other.logic.open(cohort)
    anna.double_click("a")
    anna.paint()
    anna.save()
    reading = anna.logic.case.reading
    volume, segmentation = worklists.painted_case(0)
    other.logic._list.save(Job(reading, lambda: Correction(segmentation.segments, volume.grid)))
    other.logic.flush()
    assert "Both corrections were kept" in other.logic.save_problem
    assert len(list((cohort.parent / "readings").rglob("*.seg.nrrd"))) == 2
    widget.cleanup()
    widget.parent.deleteLater()


def test_nodes_of_the_user_stay(panel, anna):
    anna.double_click("a")
    mine = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine")
    mine.SetReferenceImageGeometryParameterFromVolumeNode(panel.parameters.ct)
    anna.press("PgDown")
    assert anna.is_open("b")
    assert {"mine", "a", "b"} <= data_nodes()
    assert mine.GetNodeReference(mine.GetReferenceImageGeometryReferenceRole()).GetName() == "a"


def test_other_files_are_refused(panel, tmp_path):
    (tmp_path / "x.csv").write_text("age\n71\n")
    panel.sections["worklist"].open(tmp_path / "x.csv")
    assert "No column" in panel.ui.worklistStatusLabel.text and not shown(panel.ui.casesPanel)


def test_opening_asks_for_a_file_and_once_for_a_name(panel, cohort, monkeypatch):
    monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", lambda *_: (str(cohort), ""))
    click(panel.ui.openWorklistButton)
    assert shown(panel.ui.readerPanel) and not shown(panel.ui.casesPanel)
    panel.ui.readerEdit.text = "  Anna "
    panel.ui.readerEdit.returnPressed.emit()
    assert shown(panel.ui.casesPanel)
    click(panel.ui.openWorklistButton)
    assert not shown(panel.ui.readerPanel) and panel.ui.changeReaderButton.text == "Anna"


def test_neither_the_log_nor_file_names_hold_the_name_of_a_case(panel, tmp_path, caplog, cohort):
    volume, _ = worklists.painted_case(0)
    worklists.write_ct(tmp_path / "p" / "x.nii.gz", volume)
    (tmp_path / "list.csv").write_text("id,image\nDOE^JANE,p/x.nii.gz\nROE^JIM,p/nowhere.nii.gz\n")
    reader = worklists.Reader(panel)
    reader.open(tmp_path / "list.csv")
    reader.double_click("ROE^JIM")
    reader.double_click("DOE^JANE")
    harness.segment(panel)
    reader.save()
    names = [path.name for path in tmp_path.rglob("*")]
    assert any(name.endswith(".seg.nrrd") for name in names)
    assert not any("JANE" in name or "JIM" in name for name in names)
    assert "JANE" not in caplog.text and "JIM" not in caplog.text
    assert Path(tmp_path / "list.csv").stat().st_size > 0
