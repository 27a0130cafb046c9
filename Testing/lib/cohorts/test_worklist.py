"""Worklists of cohorts and lists, and what readers save: complete or not at all, never over each other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.cohorts import cohort_of, finish
from support.grids import chest

from CovidSegLib.cohorts import worklist
from CovidSegLib.cohorts.cases import fail_case, start_case
from CovidSegLib.cohorts.corrections import Correction, read_correction
from CovidSegLib.cohorts.readings import find_reading, open_reading, readings
from CovidSegLib.cohorts.saving import move_private_readings, save
from CovidSegLib.cohorts.worklist import open_worklist, private_store
from CovidSegLib.errors import InputError

#: Saves a reading with a growing number of seconds until it is killed.
SAVE_FOR_EVER = """
import sys
from dataclasses import replace
from pathlib import Path
from support.grids import chest
from CovidSegLib.cohorts.corrections import Correction
from CovidSegLib.cohorts.readings import open_reading
from CovidSegLib.cohorts.saving import save
from CovidSegLib.cohorts.worklist import open_worklist
work = open_worklist(Path(sys.argv[1]))
volume, segmentation = chest()
reading = open_reading(work.store, "a", "Anna")
for second in range(1, 10_000):
    masks = {**segmentation.segments, "infection": segmentation.lungs == 1}
    reading = save(work.store, replace(reading, seconds=second), Correction(masks, volume.grid)).reading
    print(second, flush=True)
"""


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep private readings in the folder of the test."""
    monkeypatch.setattr(worklist, "user_data_folder", lambda name: tmp_path / "own" / name)


def correction(shift: int = 0) -> Correction:
    volume, segmentation = chest()
    masks = {**segmentation.segments, "infection": np.roll(segmentation.infection, shift, 2)}
    return Correction(masks, volume.grid)


def csv_list(folder: Path) -> Path:
    path = folder / "list.csv"
    path.write_text("id,image\na,a.nii\nb,b.nii\n")
    return path


def test_a_cohort_has_done_waiting_and_failed_cases(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, "one", "two", "three")
    finish(cohort, "one", 12.5)
    start_case(cohort, "two")
    fail_case(cohort, "two", "No lungs were found.")
    entries = open_worklist(tmp_path / "cohort.sqlite").entries
    assert [(entry.case_id, entry.failure) for entry in entries] == [
        ("one", ""),
        ("two", "No lungs were found."),
        ("three", ""),
    ]
    assert entries[0].masks.masks == tmp_path / "cases" / "one"
    assert entries[0].involvement_percent == 12.5 and not entries[2].masks
    assert open_worklist(tmp_path).entries == entries


def test_a_list_is_not_changed_and_keeps_its_readings_beside_it(tmp_path: Path) -> None:
    path = csv_list(tmp_path)
    before = path.read_bytes()
    work = open_worklist(path)
    save(work.store, replace(open_reading(work.store, "b", "Anna"), grade="mild"))
    path.write_text("id,image\nb,elsewhere/b.nii\nc,c.nii\n")
    again = open_worklist(path)
    assert work.store.file.name == "list.readings.sqlite"
    assert [row.grade for row in readings(again.store)] == ["mild"]
    assert [entry.case_id for entry in again.entries] == ["b", "c"]
    assert before != path.read_bytes() and sorted(item.name for item in tmp_path.iterdir()) == [
        path.name,
        again.store.file.name,
    ]


def test_two_readers_do_not_touch_each_other(tmp_path: Path) -> None:
    work = open_worklist(csv_list(tmp_path))
    anna, ben = (open_reading(work.store, "a", reader) for reader in ("Anna", "Ben"))
    first = save(work.store, replace(anna, grade="mild"), correction()).reading
    second = save(work.store, replace(ben, grade="severe"), correction(3)).reading
    first = save(work.store, replace(first, comment="seen"), correction(1)).reading
    assert [row.grade for row in readings(work.store)] == ["mild", "severe"]
    for reading, shift in ((first, 1), (second, 3)):
        found = read_correction(work.store.path_of(reading.result))
        assert np.array_equal(found.masks["infection"], correction(shift).masks["infection"])
        assert reading.infection_ml == pytest.approx(found.infection_ml)
    assert len(list((tmp_path / "readings").rglob("*.seg.nrrd"))) == 2, "the earlier file of Anna is removed"


def test_the_same_reader_in_two_windows_loses_nothing(tmp_path: Path) -> None:
    work = open_worklist(csv_list(tmp_path))
    start = open_reading(work.store, "a", "Anna")
    one = save(work.store, start, correction(1))
    other = save(work.store, start, correction(2))
    assert not one.others_file
    assert other.others_file == one.reading.result
    assert len(list((tmp_path / "readings").rglob("*.seg.nrrd"))) == 2


def test_a_row_that_cannot_be_saved_leaves_the_earlier_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = open_worklist(csv_list(tmp_path))
    before = save(work.store, open_reading(work.store, "a", "Anna"), correction()).reading
    locked = open_worklist(tmp_path / "list.csv").store
    locked.patience = 0.01
    with work.store.writing(), pytest.raises(InputError, match="Another program has"):
        save(locked, replace(before, grade="mild"), correction(1))
    assert find_reading(work.store, "a", "Anna") == before
    assert [file.name for file in (tmp_path / "readings").rglob("*.seg.nrrd")] == [Path(before.result).name]


def test_killed_while_saving(tmp_path: Path) -> None:
    """What the row names is complete, whenever the process is killed."""
    path = csv_list(tmp_path)
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "Testing")])}
    command = [sys.executable, "-c", SAVE_FOR_EVER, str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    for _ in range(3):
        process.stdout.readline()
    time.sleep(0.013)
    process.send_signal(signal.SIGKILL)
    last = [int(line) for line in process.communicate()[0].split()]
    work = open_worklist(path)
    reading = find_reading(work.store, "a", "Anna")
    assert reading is not None and reading.seconds >= max([3, *last])
    found = read_correction(work.store.path_of(reading.result or ""))
    assert np.array_equal(found.masks["infection"], chest()[1].lungs == 1)


def test_readings_of_a_list_that_cannot_be_written_to_move_there_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = open_worklist(csv_list(tmp_path))
    assert move_private_readings(work) == 0 and not (tmp_path / "own").exists()
    private = private_store(work)
    assert private is not None
    reading = save(private, replace(open_reading(private, "b", "Anna"), grade="mild", seconds=9), correction(2)).reading
    assert move_private_readings(work) == 1
    moved = find_reading(work.store, "b", "Anna")
    assert moved is not None and (moved.grade, moved.seconds, moved.infection_ml) == ("mild", 9, reading.infection_ml)
    assert work.store.path_of(moved.result or "").is_file()
    assert readings(private) == [] and not list(private.folder.rglob("*.seg.nrrd"))
    assert move_private_readings(work) == 0


def test_a_list_in_a_folder_that_cannot_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = csv_list(tmp_path)
    create = worklist.create_cohort

    def refuse(folder: Path, *arguments: object, **options: object) -> object:
        if folder == tmp_path:
            raise InputError("No permission.")
        return create(folder, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(worklist, "create_cohort", refuse)
    work = open_worklist(path)
    assert work.store.folder.is_relative_to(tmp_path / "own")
    assert open_reading(work.store, "a", "Anna").seconds == 0


def test_other_databases_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    path.write_bytes(b"nothing")
    with pytest.raises(InputError):
        open_worklist(path)
