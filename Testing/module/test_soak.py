"""A short soak: nothing grows from run to run. soak.py runs longer, and measures memory too."""

from pathlib import Path

import harness
import pytest
import soak

RUNS = 6


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="reads /proc")
def test_files_threads_and_nodes_do_not_grow(panel):
    samples = soak.soak(panel, RUNS, harness.make_ct, harness.fake("done"))
    assert set(soak.has_grown(samples)) <= {"memory_mb"}  # a few runs do not tell about memory
    assert samples[-1].temporary == 0


def test_growth_is_noticed():
    steady = [soak.Sample(400.0 + number % 3, 9, 4, 49, 0) for number in range(100)]
    leaking = [soak.Sample(400.0 + number, 9 + number, 4, 49, 0) for number in range(100)]
    assert soak.has_grown(steady) == []
    assert soak.has_grown(leaking) == ["files", "memory_mb"]
