"""What all tests share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real CTs: COVIDSEG_DATA, or shared/data beside the repository."""
    folder = Path(os.environ.get("COVIDSEG_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real CTs at {folder}; set COVIDSEG_DATA to the folder that holds covid_ct_md")
    return folder
