"""An archive, a CT with exported results, and an environment without the user's queue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.certificates import self_signed
from support.dicom_results import source_and_result
from support.orthanc import PASSWORD, Orthanc, running_orthanc

from CovidSegLib import dicom
from CovidSegLib.archive.tls import TlsFiles
from CovidSegLib.archive.web import PASSWORD as PASSWORD_VARIABLE


@pytest.fixture(scope="session")
def shared_orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as archive:
        yield archive


@pytest.fixture
def orthanc(shared_orthanc: Orthanc) -> Iterator[Orthanc]:
    """An empty archive."""
    yield shared_orthanc
    shared_orthanc.clear()


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a CT in `ct` and its exported objects in `out`."""
    folder = tmp_path_factory.mktemp("case")
    source, result = source_and_result(folder / "ct")
    (folder / "report.pdf").write_bytes(b"%PDF-1.4")
    dicom.export(folder / "out", source, result, pdf=folder / "report.pdf")
    return folder


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TlsFiles]:
    """Two certificates that are their own authorities."""
    folder = tmp_path_factory.mktemp("tls")
    return {name: self_signed(folder, name) for name in ("node", "client")}


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVIDSEG_OUTBOX", str(tmp_path / "outbox"))
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
