"""A run that is stopped ends soon, reports that it was cancelled and leaves nothing behind."""

from __future__ import annotations

import os
import pkgutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import SimpleITK as sitk
from support.command_line import TIMEOUT, events, start
from support.grids import chest
from support.phantoms import UPPER, phantom_on

from CovidSegLib import pipeline
from CovidSegLib.cli.interrupts import Interrupts
from CovidSegLib.cli.main import CANCELLED, DONE, main
from CovidSegLib.errors import Cancelled
from CovidSegLib.outputs import FILES, GROUPS
from CovidSegLib.progress import silent

#: Seconds that users may wait after Ctrl-C, even on a busy machine.
SOON = 60.0


@pytest.fixture(autouse=True, scope="module")
def sigint_enabled() -> Iterator[None]:
    """Enable Ctrl-C, which is ignored if a shell runs the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def ct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ct") / "ct.nii.gz"
    sitk.WriteImage(phantom_on(UPPER).volume.to_image(), str(path))
    return path


def wait_for(stage: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the process reports a stage."""
    assert process.stdout
    for line in process.stdout:
        if stage.encode() in line:
            return
    pytest.fail(f'ended before "{stage}"')


@pytest.mark.parametrize(
    ("number", "stage", "later"),
    [(signal.SIGTERM, "Preparing the segmentation", 0.3), (signal.SIGINT, "Making the surfaces", 0.0)],
)
def test_a_signal_ends_a_run_and_leaves_nothing(
    ct: Path, tmp_path: Path, number: signal.Signals, stage: str, later: float
) -> None:
    """While torch is imported, and while the results are written."""
    process = start("segment", ct, "-o", tmp_path / "new" / "out", "--progress", "json")
    wait_for(stage, process)
    time.sleep(later)
    process.send_signal(number)
    sent = time.monotonic()
    printed, errors = process.communicate(timeout=TIMEOUT)
    assert time.monotonic() - sent < SOON
    assert process.returncode == CANCELLED
    last = events(printed)[-1]
    assert last == {"event": "error", "message": "Cancelled; nothing was written.", "exit_code": CANCELLED}
    assert b"Traceback" not in errors
    assert not (tmp_path / "new").exists()


def test_ctrl_c_on_a_terminal_ends_the_bar_and_the_run(ct: Path, tmp_path: Path) -> None:
    """The terminal sends the signal, twice in a row."""
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    fcntl = pytest.importorskip("fcntl")
    terminal, inside = pty.openpty()
    termios.tcsetwinsize(inside, (24, 100))
    process = start(
        "segment", ct, "-o", tmp_path / "out",
        stdin=inside, stdout=inside, stderr=inside, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(inside, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(inside)
    shown, sent = b"", 0
    while True:
        try:
            shown += os.read(terminal, 1000)
        except OSError:  # the other end is closed
            break
        if b"Finding the lungs" in shown and not sent:
            sent = os.write(terminal, b"\x03\x03")
    os.close(terminal)
    assert process.wait(TIMEOUT) == CANCELLED
    text = shown.decode()
    bar = next(part for part in text.split("\r") if "Finding the lungs" in part)
    assert "%" in bar
    assert " left" in bar
    assert text.replace("\r", "\n").strip().endswith("Cancelled; nothing was written.")
    assert "Traceback" not in text
    assert not (tmp_path / "out").exists()


def test_a_run_ends_when_its_pipes_are_closed(ct: Path, tmp_path: Path) -> None:
    """As when the application that has started it dies."""
    process = start("segment", ct, "-o", tmp_path / "out", "--progress", "json")
    wait_for("Finding the lungs", process)
    assert process.stdout and process.stderr
    process.stdout.close()
    process.stderr.close()
    closed = time.monotonic()
    assert process.wait(TIMEOUT) == CANCELLED
    assert time.monotonic() - closed < SOON
    assert not (tmp_path / "out").exists()


def test_a_list_ends_quietly_when_its_pipe_is_closed() -> None:
    """As `covidseg models | true`."""
    process = start("models")
    assert process.stdout and process.stderr
    process.stdout.close()
    with process.stderr as errors:
        assert errors.read() == b""
    assert process.wait(TIMEOUT) == CANCELLED


# In this process


def test_a_signal_that_a_library_swallows_still_cancels() -> None:
    with Interrupts() as interrupts:
        progress = interrupts.checked(silent)
        progress("Reading", 0.5)
        try:
            signal.raise_signal(signal.SIGINT)
        except BaseException as error:
            assert isinstance(error, Cancelled)
        with pytest.raises(Cancelled):
            progress("Reading", 0.6)


def test_a_deferred_signal_cancels_at_the_end_of_the_block() -> None:
    loaded = False
    with Interrupts() as interrupts:
        with pytest.raises(Cancelled), interrupts.defer():
            signal.raise_signal(signal.SIGTERM)
            loaded = True
        with pytest.raises(Cancelled):  # and again, should the first one be swallowed
            interrupts.checked(silent)("Reading", 0.5)
    assert loaded


def test_signals_are_deferred_within_the_block_only() -> None:
    with Interrupts() as interrupts:
        with interrupts.defer():
            pass
        with pytest.raises(Cancelled):
            signal.raise_signal(signal.SIGINT)


def test_an_interrupted_import_counts_as_cancelled(
    ct: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken_import(*arguments: object, **options: object) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except BaseException:
            raise ImportError("initialization failed") from None

    monkeypatch.setattr(pipeline, "segment", broken_import)
    assert main(["segment", str(ct), "-o", str(tmp_path / "out")]) == CANCELLED
    assert capsys.readouterr().err == "Cancelled; nothing was written.\n"
    assert not (tmp_path / "out").exists()


def test_a_second_signal_does_not_disturb_the_clean_up() -> None:
    with Interrupts():
        with pytest.raises(Cancelled):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)


def test_signals_are_ignored_once_the_results_are_moved_into_place() -> None:
    with Interrupts() as interrupts:
        interrupts.checked(silent)("Saving the results", 1.0)
        signal.raise_signal(signal.SIGINT)
    assert not interrupts.requested


def test_handlers_are_restored_and_ignored_signals_stay_ignored() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    earlier = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    try:
        with Interrupts() as interrupts:
            assert signal.getsignal(signal.SIGINT) == interrupts._interrupt
            signal.raise_signal(signal.SIGHUP)
        assert {number: signal.getsignal(number) for number in before} == before
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, earlier)


@pytest.mark.parametrize(("when", "code"), [("written", CANCELLED), ("moved", DONE)])
def test_a_signal_while_results_are_written(
    ct: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str, code: int
) -> None:
    """Until they are moved into place the run leaves nothing, from then on it completes."""
    functions = {
        "written": "CovidSegLib.outputs.results.write_csv",
        "moved": "CovidSegLib.storage.staging._swap",
    }
    function = functions[when]
    original = pkgutil.resolve_name(function)

    def interrupted(*arguments: object) -> None:
        signal.raise_signal(signal.SIGINT)
        original(*arguments)

    monkeypatch.setattr(pipeline, "segment", lambda volume, model, **options: chest(volume.grid)[1])
    monkeypatch.setattr(function, interrupted)
    out = tmp_path / "out"
    assert main(["segment", str(ct), "-o", str(out), "--skip", "overview", "--skip", "surfaces"]) == code
    assert out.exists() == (code == DONE)
    pictures = {FILES[key] for group in ("overview", "surfaces") for key in GROUPS[group] if key in FILES}
    assert {path.name for path in out.glob("*")} == (set(FILES.values()) - pictures if code == DONE else set())
