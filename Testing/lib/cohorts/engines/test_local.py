"""Workers that are processes of this computer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command_line import LIBRARY
from support.instant import work, write_scans

from CovidSegLib.cohorts.engines import resources
from CovidSegLib.cohorts.engines.engine import LOST, Job, Outcome
from CovidSegLib.cohorts.engines.local import LocalEngine
from CovidSegLib.cohorts.engines.resources import Share, shares
from CovidSegLib.errors import InputError


def wait_for(engine: LocalEngine) -> tuple[int, Outcome]:
    """Wait until a job ends."""
    for _ in range(200):
        if ended := engine.wait(0.5):
            return ended[0]
    raise TimeoutError


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalEngine]:
    monkeypatch.setenv("PYTHONPATH", str(LIBRARY))
    engine = LocalEngine(work(), [Share("cpu")])
    yield engine
    engine.close()


def test_a_worker_that_is_killed_is_replaced(engine: LocalEngine, tmp_path: Path) -> None:
    (scan,) = write_scans(tmp_path, 1)
    missing = Job("missing", tmp_path / "missing.nii.gz", None, tmp_path / "missing")
    engine.start(0, Job("a", scan, None, tmp_path / "a"))
    (process,) = engine._pools[0]._processes.values()
    process.kill()
    assert wait_for(engine) == (0, LOST)
    engine.start(0, missing)
    slot, outcome = wait_for(engine)
    assert (slot, outcome.kind) == (0, "failed")
    assert "no file or folder" in outcome.sentence
    (second,) = engine._pools[0]._processes.values()
    engine.start(0, missing)
    assert wait_for(engine)[1].kind == "failed"
    assert list(engine._pools[0]._processes.values()) == [second]  # which keeps the model
    engine.close()
    assert not second.is_alive()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="there is no /proc")
def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from support.instant import work\n"
        "from CovidSegLib.cohorts.engines.engine import Job\n"
        "from CovidSegLib.cohorts.engines.local import LocalEngine\n"
        "from CovidSegLib.cohorts.engines.resources import Share\n"
        "if __name__ == '__main__':\n"
        "    engine = LocalEngine(work(), [Share('cpu')])\n"
        "    engine.start(0, Job('a', Path('missing'), None, Path('a')))\n"
        "    while not engine.wait(1): pass\n"
        "    print(*engine._pools[0]._processes, flush=True)\n"
        "    time.sleep(100)\n"
    )
    (tmp_path / "parent.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": f"{LIBRARY}{os.pathsep}{LIBRARY / 'Testing'}"}
    parent = subprocess.Popen([sys.executable, tmp_path / "parent.py"], stdout=subprocess.PIPE, env=environment)
    assert parent.stdout is not None
    worker = Path("/proc", parent.stdout.readline().decode().strip())
    assert worker.is_dir()
    parent.kill()
    parent.communicate()
    for _ in range(100):
        if not worker.is_dir():
            return
        time.sleep(0.1)
    pytest.fail("the worker goes on")


def test_workers_share_processors_and_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "processors", lambda: [2, 3, 4, 5, 6])
    monkeypatch.setattr(resources, "_memory_mb", lambda: 100_000)
    monkeypatch.setattr(resources, "count_gpus", lambda: 0)
    assert shares(None, "auto") == [Share("auto", 2, (2, 3)), Share("auto", 2, (4, 5))]
    assert shares(1, "cpu") == [Share("cpu")]
    assert shares(9, "cpu")[8] == Share("cpu", 1, ())
    monkeypatch.setattr(resources, "_memory_mb", lambda: 3000)
    assert len(shares(None, "auto")) == 1
    monkeypatch.setattr(resources, "count_gpus", lambda: 2)
    assert [share.device for share in shares(None, "auto")] == ["cuda:0", "cuda:1"]
    assert [share.device for share in shares(3, "cuda")] == ["cuda:0", "cuda:1", "cuda:0"]
    assert [share.device for share in shares(2, "cpu")] == ["cpu", "cpu"]
    assert [share.device for share in shares(None, "cuda:1")] == ["cuda:1"]
    with pytest.raises(InputError):
        shares(0, "cpu")
