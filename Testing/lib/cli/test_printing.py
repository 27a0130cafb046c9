"""What reaches the terminal: no escape sequence, no endless text, and no traceback if it cannot be printed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from support.command_line import TIMEOUT, events, start
from support.dicom_factory import write_series

from CovidSegLib import models
from CovidSegLib.cli import main as cli
from CovidSegLib.cli.printing import LONGEST_LINE, MOST_LINES, as_message
from CovidSegLib.cli.tables import format_table

ESCAPES = "\x1b[2J\x1b]0;owned\x07\u202e"
full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
posix = pytest.mark.skipif(sys.platform == "win32", reason="file names on Windows have no such characters")


def is_clean(text: str) -> bool:
    return all(character.isprintable() or character in "\n\t" for character in text)


@posix
@pytest.mark.parametrize("kind", ["none", "json"])
@pytest.mark.parametrize("name", [ESCAPES.encode(), b"Z\xfcrich", b"a\nDone: 8 files"])
def test_file_names_cannot_control_the_terminal(tmp_path: Path, kind: str, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name + b".nii")
    process = start("segment", path, "-o", tmp_path / "out", "--progress", kind)
    printed, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == cli.UNUSABLE
    text = events(printed)[-1]["message"] if kind == "json" else errors.decode().removesuffix("\n")
    assert text.startswith("There is no file or folder")
    assert is_clean(text) and "\n" not in text
    json.dumps(text, ensure_ascii=False).encode()


def test_dicom_headers_cannot_control_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def edit(data: Dataset, index: int) -> None:
        data.add_new("SeriesDescription", "UT", ESCAPES + 60_000 * "x")  # UT, as LO may not be that long
        data.ConvolutionKernel = "\x1b[31m"

    for number in (1, 2):
        write_series(tmp_path / f"{number}", np.zeros((12, 8, 8)), number=number, edit=edit)
    assert cli.main(["segment", str(tmp_path), "-o", str(tmp_path / "out")]) == cli.UNUSABLE
    printed = "".join(capfd.readouterr())
    assert "several CT series" in printed
    assert is_clean(printed) and len(printed) < 1000


def test_arguments_cannot_control_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A shell may put in the names of files that look like options."""
    with pytest.raises(SystemExit):
        cli.main(["segment", "ct", "-o", "out", f"--{ESCAPES}"])
    assert is_clean(capsys.readouterr().err)


@pytest.fixture
def hostile(own_models: Path) -> Path:
    """An installed model whose card has escape sequences and endless texts."""
    folder = own_models / "hostile"
    shutil.copytree(models.find_model().folder, folder)
    card = json.loads((folder / "card.json").read_text())
    card |= {"title": f"Title{ESCAPES}", "summary": ESCAPES + 10**6 * "x", "limits": [ESCAPES], "licence": ESCAPES}
    (folder / "card.json").write_text(json.dumps(card))
    return folder


@pytest.mark.parametrize("action", [[], ["show", "hostile"], ["verify", "hostile"], ["--json"]])
def test_model_cards_cannot_control_the_terminal(
    hostile: Path, action: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["models", *action]) == cli.DONE
    assert is_clean(capsys.readouterr().out)


def test_tables_are_of_limited_width(hostile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models"]) == cli.DONE
    assert max(map(len, capsys.readouterr().out.splitlines())) < 2 * LONGEST_LINE
    assert format_table(["A"], [["x\ny"]]).splitlines()[1:] == [r"x\x0ay"]


def test_messages_are_of_limited_length() -> None:
    assert len(as_message(10**6 * "x")) == LONGEST_LINE
    assert as_message("x" + 1000 * "\n  y").splitlines()[-1] == f"  ... and {1001 - MOST_LINES} more lines"


def test_only_indented_lines_continue_a_message() -> None:
    assert as_message("Series:\n  number 1\nDone: 8 files") == "Series:\n  number 1\\nDone: 8 files"


def test_an_unexpected_error_cannot_control_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError(ESCAPES)

    monkeypatch.setattr("CovidSegLib.outputs.prepare", fail)
    assert cli.main(["segment", "ct", "-o", str(tmp_path / "out")]) == cli.FAILED
    errors = capsys.readouterr().err
    assert "Traceback" in errors and is_clean(errors)


# Streams that cannot be written


@full
@pytest.mark.parametrize(
    "arguments", [["models"], ["recipes"], ["models", "show"], ["--help"], ["models", "--help"], []]
)
def test_a_full_disk_is_reported(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as nowhere:
        process = start(*arguments, stdout=nowhere)
        errors = process.communicate(timeout=TIMEOUT)[1].decode()
    assert process.returncode == cli.UNUSABLE
    assert errors.startswith("The output of the command cannot be written (No space left on device).")
    assert errors.count("\n") == 1


@full
def test_events_on_a_full_disk_are_reported(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as nowhere:
        process = start("segment", "ct", "-o", tmp_path / "out", "--progress", "json", stdout=nowhere)
        errors = process.communicate(timeout=TIMEOUT)[1].decode()
    assert process.returncode == cli.UNUSABLE
    assert errors.startswith("The disk is full") and errors.count("\n") == 1


@posix
@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full", "2>&1 | true", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("kind", ["bar", "json", "none"])
def test_closed_streams_do_not_change_the_exit_code(tmp_path: Path, closed: str, kind: str) -> None:
    if "full" in closed and not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    script = f'set -o pipefail; "$@" {closed}'
    command = [sys.executable, "-m", "CovidSegLib", "segment", "none", "-o", str(tmp_path / "out"), "--progress", kind]
    done = subprocess.run(
        ["bash", "-c", script, "bash", *command], cwd=Path(models.__file__).parents[2], capture_output=True, check=False
    )
    assert done.returncode == (cli.CANCELLED if kind == "json" and "true" in closed else cli.UNUSABLE)
    assert b"Traceback" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    "arguments",
    [["segment", "ct", "-o", ""], ["segment", "", "-o", "out"], ["segment", "ct", "-o", "out", "--model", " "]],
)
def test_empty_arguments_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """As from an unset variable of a script. An empty path would be the working directory."""
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == cli.UNUSABLE
    assert "a value is needed, but it is empty" in capsys.readouterr().err
