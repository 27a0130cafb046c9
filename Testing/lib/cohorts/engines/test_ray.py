"""Workers that are Ray actors. With real scans: test_thirty_scans.py."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from support.command_line import LIBRARY
from support.instant import work, write_scans

from CovidSegLib.cohorts.engines.engine import LOST, Job, Outcome
from CovidSegLib.cohorts.engines.ray_engine import RayEngine
from CovidSegLib.errors import InputError


def wait_for(engine: RayEngine) -> tuple[int, Outcome]:
    """Wait until a job ends."""
    for _ in range(300):
        if ended := engine.wait(1.0):
            return ended[0]
    raise TimeoutError


@pytest.mark.slow  # Ray starts half a dozen processes
def test_an_actor_that_dies_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", str(LIBRARY))
    (scan,) = write_scans(tmp_path, 1)
    engine = RayEngine(work(), tmp_path, 1, None)
    try:
        assert engine.workers == 1
        engine.start(0, Job("a", scan, None, tmp_path / "a"))
        engine._ray.kill(engine._actors[0])
        assert wait_for(engine) == (0, LOST)
        engine.start(0, Job("b", tmp_path / "missing.nii", None, tmp_path / "b"))
        slot, outcome = wait_for(engine)
        assert (slot, outcome.kind) == (0, "failed")
        assert "no file or folder" in outcome.sentence
        assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    finally:
        engine.close()
    assert not engine._ray.is_initialized()


def test_ray_that_is_not_installed_is_said_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match="Ray is not installed"):
        RayEngine(work(), tmp_path, 1, None)


def test_a_cluster_that_is_not_there_is_said_in_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    with pytest.raises(InputError, match='There is no Ray cluster at "auto"'):
        RayEngine(work(), tmp_path, 1, "auto")
