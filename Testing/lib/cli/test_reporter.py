"""Reporters: JSON lines and nothing else, a bar with stage and time left, or only warnings and the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import CovidSegLib
from CovidSegLib.cli.reporter import JsonLines, ProgressBar, Reporter, make_reporter

LIBRARY = Path(CovidSegLib.__file__).parents[1]


def events(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_json_is_one_object_per_line_and_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    with JsonLines() as reporter:
        print("printed by a library")
        os.write(1, b"written by a C library\n")
        reporter("Reading the CT", 0.25)
        reporter.warning("Dünne Schichten\n  und zwei Zeilen")
        reporter.done(Path("Ergebnis 肺"), [Path("Ergebnis 肺/report.json")])
        reporter.error("No lungs.", 2)
    print("afterwards")
    out, err = capfd.readouterr()
    *lines, last = out.splitlines()
    assert last == "afterwards"
    assert out.isascii()
    progress, warning, done, error = (json.loads(line) for line in lines)
    assert progress["event"] == "progress"
    assert (progress["stage"], progress["fraction"]) == ("Reading the CT", 0.25)
    assert warning == {"event": "warning", "message": "Dünne Schichten\n  und zwei Zeilen"}
    assert done == {"event": "done", "output": "Ergebnis 肺", "files": ["report.json"]}
    assert error == {"event": "error", "message": "No lungs.", "exit_code": 2}
    assert "printed by a library" in err
    assert "written by a C library" in err


def test_the_time_left_is_estimated_from_the_time_taken(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with JsonLines() as reporter:
        for seconds, fraction in ((1.0, 0.1), (20.0, 0.25), (80.0, 1.0)):
            now[0] = 100.0 + seconds
            reporter("Finding the lungs", fraction)
    left = [event["seconds_left"] for event in events(capfd.readouterr().out)]
    assert left == [None, 60.0, 0.0]  # too early for an estimate; three quarters are left; done


def test_a_closed_pipe_ends_the_run() -> None:
    """As when the application that reads the events dies."""
    script = """
from CovidSegLib.cli.reporter import JsonLines
import sys
sys.stdin.readline()
try:
    with JsonLines() as reporter:
        reporter("Reading", 0.1)
except BrokenPipeError:
    sys.exit(7)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=LIBRARY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin and process.stdout and process.stderr
    process.stdout.close()
    process.stdin.write(b"\n")
    process.stdin.close()
    assert process.wait(30) == 7
    with process.stderr as errors:
        assert errors.read() == b""


def test_the_bar_shows_stage_and_time_left_on_a_terminal() -> None:
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    script = """
import time
from CovidSegLib.cli.reporter import ProgressBar, make_reporter
from pathlib import Path
with make_reporter(None) as reporter:
    assert isinstance(reporter, ProgressBar)
    reporter("Reading the CT", 0.1)
    time.sleep(0.3)
    reporter("Finding the lungs", 0.5)
    reporter.warning("The slices are thick.")
    time.sleep(0.3)
    reporter("Finding the infection", 0.9)
    reporter.done(Path("out"), [Path("out/report.json")])
"""
    terminal, inside = pty.openpty()
    termios.tcsetwinsize(inside, (24, 100))
    process = subprocess.Popen([sys.executable, "-c", script], cwd=LIBRARY, stdout=subprocess.PIPE, stderr=inside)
    os.close(inside)
    shown = b""
    while True:
        try:
            shown += os.read(terminal, 1000)
        except OSError:  # the other end is closed
            break
    os.close(terminal)
    assert process.stdout
    with process.stdout:
        assert process.stdout.read().decode() == "Done: 1 files in out. Research software. Not for diagnosis.\n"
    assert process.wait(30) == 0
    text = shown.decode()
    assert "Note: The slices are thick." in text
    for stage, percent in (("Finding the lungs", "50%"), ("Finding the infection", "90%")):
        line = next(part for part in text.split("\r") if stage in part and percent in part)
        assert " left" in line
    assert text.split("\r")[-1].strip() == ""  # the bar is gone at the end


def test_the_bar_is_removed_before_an_error_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar() as reporter:
        reporter("Reading the CT", 0.1)
        reporter.error("No lungs.", 2)
    assert capsys.readouterr().err.splitlines()[-1].split("\r")[-1] == "No lungs."


def test_without_a_terminal_only_warnings_and_the_end_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with make_reporter(None) as reporter:
        assert type(reporter) is Reporter
        reporter("Reading the CT", 0.1)
        reporter.warning("Thick.")
        reporter.done(Path("out"), [])
    out, err = capsys.readouterr()
    assert out == "Done: 0 files in out. Research software. Not for diagnosis.\n"
    assert err == "Note: Thick.\n"


@pytest.mark.parametrize(("kind", "expected"), [("bar", ProgressBar), ("json", JsonLines), ("none", Reporter)])
def test_reporters_are_made_by_name(kind: str, expected: type) -> None:
    assert type(make_reporter(kind)) is expected
