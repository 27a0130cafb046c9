"""The process `covidseg`: signals in its first milliseconds, closed streams, and modules that others have planted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from support.command_line import LIBRARY, TIMEOUT, start

from CovidSegLib.cli.main import CANCELLED, DONE

#: A module in place of `argparse`, which is imported first. It gets the signal in the middle of the import.
INTERRUPTING = "import os, signal; os.kill(os.getpid(), signal.{name}); import time; time.sleep(60)"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("entry", ["-m", "-c"])
def test_a_signal_during_the_first_imports_ends_quietly(tmp_path: Path, name: str, entry: str) -> None:
    (tmp_path / "argparse.py").write_text(INTERRUPTING.format(name=name))
    program = {"-m": "CovidSegLib", "-c": "from CovidSegLib.__main__ import program; program()"}[entry]
    process = subprocess.Popen(
        [sys.executable, entry, program, "--help"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(LIBRARY)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.communicate(timeout=TIMEOUT) == (b"", b"")
    assert process.returncode == CANCELLED


def test_ignored_signals_stay_ignored(tmp_path: Path) -> None:
    """As under nohup."""
    (tmp_path / "argparse.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGHUP); os._exit(9)")
    process = subprocess.Popen(
        [sys.executable, "-m", "CovidSegLib", "--help"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(LIBRARY)])},
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    assert process.wait(TIMEOUT) == 9


def test_no_file_takes_the_place_of_a_closed_stream() -> None:
    """What native code prints would end up in a result."""
    script = (
        "import os\nfrom CovidSegLib.cli import process\nprocess.open_standard_streams()\n"
        "file = os.open('/dev/null', os.O_RDONLY)\nos._exit(file)"
    )
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", script], cwd=LIBRARY, check=False
    )
    assert done.returncode >= 3


def test_the_documented_call_runs_no_module_of_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "argparse.py").write_text("import os; os._exit(99)")
    environment = {**os.environ, "PYTHONPATH": str(LIBRARY)}
    command = [sys.executable, "-P", "-m", "CovidSegLib", "--version"]
    assert subprocess.run(command, cwd=tmp_path, env=environment, check=False).returncode == DONE
    assert "python -P -m CovidSegLib" in (LIBRARY / "docs" / "command-line.md").read_text(encoding="utf-8")


def test_the_console_script_is_the_same_program() -> None:
    scripts = tomllib.loads((LIBRARY / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"covidseg": "CovidSegLib.__main__:program"}
    assert start("--version").wait(TIMEOUT) == DONE
