"""What the tests of the library share."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from support.tiny_run import make_run


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that are the same in every run."""
    return np.random.default_rng(0)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One thread for torch: layers of a few maps lose more to handing work over than they win, most on busy cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A training that has ended."""
    return make_run(tmp_path / "runs" / "tiny-run")
