"""`Session`: progress that can be cancelled, and the message of a cancelled run."""

from __future__ import annotations

import argparse
import json
import signal

import pytest

from CovidSegLib.cli import main as cli
from CovidSegLib.cli import segment
from CovidSegLib.cli.interrupts import Interrupts
from CovidSegLib.cli.reporter import Reporter
from CovidSegLib.cli.session import Session
from CovidSegLib.errors import Cancelled


class Recorder(Reporter):
    """Keeps the progress that it receives."""

    def __init__(self) -> None:
        self.received: list[tuple[str, float]] = []

    def __call__(self, stage: str, fraction: float) -> None:
        self.received.append((stage, fraction))


def test_progress_reaches_the_reporter_and_cancels() -> None:
    reporter = Recorder()
    with Interrupts() as interrupts:
        session = Session(argparse.Namespace(), reporter, interrupts)
        session.progress("Reading the CT", 0.25)
        with pytest.raises(Cancelled), session.defer_interrupts():
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Cancelled):
            session.progress("Finding the lungs", 0.5)
    assert reporter.received == [("Reading the CT", 0.25), ("Finding the lungs", 0.5)]


@pytest.mark.parametrize("message", [None, "Cancelled; the first half is kept."])
def test_a_command_sets_the_message_of_a_cancelled_run(
    message: str | None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    sessions = []

    def run(session: Session) -> None:
        sessions.append(session)
        if message is not None:
            session.on_cancel = message
        raise Cancelled

    monkeypatch.setattr(segment, "run", run)
    assert cli.main(["segment", "ct", "-o", "out", "--device", "cpu", "--progress", "json"]) == cli.CANCELLED
    expected = message or "Cancelled; nothing was written."
    assert json.loads(capfd.readouterr().out) == {"event": "error", "message": expected, "exit_code": cli.CANCELLED}
    (session,) = sessions
    assert session.options.device == "cpu"
    assert not hasattr(session.options, "cancelled")
