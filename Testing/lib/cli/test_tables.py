"""Tables on standard output: aligned, cut to the width of a terminal, and whole elsewhere."""

from __future__ import annotations

import os
import sys

import pytest

from CovidSegLib.cli.tables import format_table, print_table

HEAD = ["NAME", "SIZE", "DESCRIPTION"]
ROWS = [["v-net", "45.6 MB", "The residual 3D network V-Net."], ["unet-plus-plus", "-", ""]]


def test_columns_are_aligned() -> None:
    assert format_table(HEAD, ROWS).splitlines() == [
        "NAME            SIZE     DESCRIPTION",
        "v-net           45.6 MB  The residual 3D network V-Net.",
        "unet-plus-plus  -",
    ]


def test_the_last_column_is_cut_to_the_width() -> None:
    lines = format_table(HEAD, ROWS, 40).splitlines()
    assert lines[1] == "v-net           45.6 MB  The residual..."
    assert max(map(len, lines)) == 40


def test_nothing_is_cut_where_there_is_room() -> None:
    assert format_table(HEAD, ROWS, 55) == format_table(HEAD, ROWS)
    assert "..." in format_table(HEAD, ROWS, 54)


def test_names_stay_whole_in_a_terminal_that_is_too_narrow() -> None:
    assert [line.split()[0] for line in format_table(HEAD, ROWS, 5).splitlines()] == ["NAME", "v-net", "unet-plus-plus"]


def test_a_table_without_rows_is_its_head() -> None:
    assert format_table(HEAD, []) == "NAME  SIZE  DESCRIPTION"


@pytest.mark.parametrize(("terminal", "cut"), [(True, True), (False, False)])
def test_only_a_terminal_cuts(
    terminal: bool, cut: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    monkeypatch.setattr("shutil.get_terminal_size", lambda *_, **__: os.terminal_size((40, 24)))
    print_table(HEAD, ROWS)
    assert ("..." in capsys.readouterr().out) == cut
