"""Fixtures for all tests."""

import os
import signal
from pathlib import Path

import pytest

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # The background of a shell ignores Ctrl-C, and so would every process that a test starts and interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

if "PYTEST_XDIST_WORKER" in os.environ:
    # Each worker has a core. More threads would only compete for it.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


#: Files that take long, though they have few tests.
LONG = (
    "test_archive_and_back.py",
    "test_claim.py",
    "test_distributed.py",
    "test_exported.py",
    "test_faults.py",
    "test_fuzz.py",
    "test_notebooks.py",
    "test_reading.py",
    "test_real_scans.py",
    "test_resume.py",
    "test_segment.py",
    "test_self_test.py",
    "test_soak.py",
    "test_states.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run long files first, so that no worker begins one when the others have finished."""
    items.sort(key=lambda item: item.path.name not in LONG)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz-seconds", type=float, default=20, help="time for the fuzzer (Testing/fuzz)")
    parser.addoption("--fuzz-seed", type=int, default=0, help="which mutants the fuzzer tries")


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of the user's models, so that models on this computer do not affect the tests."""
    monkeypatch.setenv("COVIDSEG_MODELS", str(tmp_path / "own models"))
    return tmp_path / "own models"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real CTs: COVIDSEG_DATA, or shared/data beside the repository."""
    folder = Path(os.environ.get("COVIDSEG_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real CTs at {folder}; set COVIDSEG_DATA to the folder that contains covid_ct_md")
    return folder
