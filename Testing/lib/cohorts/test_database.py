"""`cohort.sqlite`: created, opened, refused, and written by several processes."""

from __future__ import annotations

import errno
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest
from support.cohorts import cohort_of

from CovidSegLib.cohorts.cases import all_cases, start_case
from CovidSegLib.cohorts.database import FILE, create_cohort, open_cohort
from CovidSegLib.errors import DiskFullError, InputError
from CovidSegLib.storage.disk_errors import explain_disk_errors


def test_a_cohort_is_created_once_and_opened_by_folder_or_file(tmp_path: Path) -> None:
    cohort_of(tmp_path / "a" / "b", "one")
    assert [case.id for case in all_cases(create_cohort(tmp_path / "a" / "b"))] == ["one"]
    assert [case.id for case in all_cases(open_cohort(tmp_path / "a" / "b" / FILE))] == ["one"]


def test_the_version_and_the_kind_of_file_are_stored(tmp_path: Path) -> None:
    cohort_of(tmp_path)
    with sqlite3.connect(tmp_path / FILE) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("PRAGMA application_id").fetchone() == (0x43536567,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)  # no memory shared over networks
        connection.execute("PRAGMA user_version = 2")
    with pytest.raises(InputError, match="later version of CovidSeg"):
        open_cohort(tmp_path)


def test_an_empty_file_that_a_killed_process_has_left_is_filled(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()
    assert all_cases(create_cohort(tmp_path)) == []


@pytest.mark.parametrize("content", [b"no database at all" * 100, b""])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(InputError, match="not a cohort of CovidSeg"):
        open_cohort(tmp_path)


def test_another_database_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("CREATE TABLE cases (id TEXT)")
    with pytest.raises(InputError, match="not a cohort of CovidSeg"):
        create_cohort(tmp_path)


def test_a_folder_without_a_cohort(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no cohort in"):
        open_cohort(tmp_path)


def test_a_change_is_stored_completely_or_not_at_all(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, "one")
    with pytest.raises(ZeroDivisionError), cohort.writing() as connection:
        connection.execute("UPDATE cases SET state = 'done'")
        raise ZeroDivisionError
    assert all_cases(cohort)[0].state == "waiting"


def test_two_threads_write_without_losing_a_change(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, "one")
    threads = [
        threading.Thread(target=lambda: [start_case(cohort, "one") for _ in range(10)] and None) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all_cases(cohort)[0].attempts == 20


def test_a_file_that_stays_locked_is_reported(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, "one")
    with cohort.writing(), pytest.raises(InputError, match="Another program has"):
        start_case(open_cohort(tmp_path, patience=0.01), "one")


def test_a_full_disk_is_reported_and_loses_nothing(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, "one")
    with pytest.raises(DiskFullError, match="The disk is full"), cohort.writing() as connection:
        connection.execute("PRAGMA max_page_count = 1")
        connection.execute("UPDATE cases SET sentence = ?", ("long " * 100_000,))
    assert all_cases(open_cohort(tmp_path))[0].sentence is None


def test_a_full_disk_is_an_error_of_its_own() -> None:
    with pytest.raises(DiskFullError), explain_disk_errors(Path("x")):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(InputError) as caught, explain_disk_errors(Path("x")):
        raise OSError(errno.EACCES, "Permission denied")
    assert not isinstance(caught.value, DiskFullError)


def test_paths_in_the_folder_move_with_it(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path / "here")
    inside, outside = tmp_path / "here" / "scans" / "a.nii", tmp_path / "b.nii"
    assert cohort.stored(inside) == "scans/a.nii"
    assert cohort.stored(outside) == str(outside)
    shutil.move(tmp_path / "here", tmp_path / "there")
    moved = open_cohort(tmp_path / "there")
    assert moved.path_of("scans/a.nii") == tmp_path / "there" / "scans" / "a.nii"
    assert moved.path_of(str(outside)) == outside
