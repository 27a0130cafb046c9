"""Encrypted connections with a real Orthanc: DICOM over TLS in both directions, and DICOMweb over HTTPS."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest
from support.command_line import start
from support.https_server import https_in_front_of
from support.orthanc import USER, Orthanc, free_port, running_orthanc

from CovidSegLib.archive.tls import TlsFiles
from CovidSegLib.cli.main import DONE, UNUSABLE, main


def run(*arguments: object) -> int:
    return main(["dicom", *map(str, arguments), "--progress", "none"])


def uids(folder: Path) -> set[str]:
    return {str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in folder.iterdir()}


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.fixture(scope="module")
def encrypting(tmp_path_factory: pytest.TempPathFactory, certificates: dict[str, TlsFiles]) -> Iterator[Orthanc]:
    """An Orthanc with the certificate "node" that trusts only callers with the certificate "client"."""
    folder = tmp_path_factory.mktemp("orthanc-tls")
    with running_orthanc(folder, certificates["node"], certificates["client"].certificate) as archive:
        yield archive


@pytest.fixture
def orthanc(encrypting: Orthanc) -> Iterator[Orthanc]:
    """An empty archive."""
    yield encrypting
    encrypting.clear()


@pytest.fixture
def identity(certificates: dict[str, TlsFiles]) -> list[object]:
    """Options that name our certificate, and that of the archive as trusted."""
    node, client = certificates["node"], certificates["client"]
    return ["--tls-cert", client.certificate, "--tls-key", client.key, "--tls-ca", node.certificate]


def test_send_over_tls(orthanc: Orthanc, case: Path, tmp_path: Path, identity: list[object]) -> None:
    assert run("send", case / "out", "--to", orthanc.address, "--tls", *identity) == DONE
    assert orthanc.stored().keys() == uids(case / "out")
    assert not (tmp_path / "outbox").exists()


@pytest.mark.parametrize("missing", ["encryption", "own certificate", "trust"])
def test_refused_connections(
    orthanc: Orthanc,
    case: Path,
    certificates: dict[str, TlsFiles],
    identity: list[object],
    missing: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is sent, and the message says what to check. What was not sent is in the queue."""
    wrong = certificates["client"].certificate
    options = {
        "encryption": [],
        "own certificate": ["--tls", *identity[-2:]],
        "trust": ["--tls", *identity[:4], "--tls-ca", wrong],
    }[missing]
    assert run("send", case / "out", "--to", orthanc.address, *options, "--attempts", 1, "--timeout", 15) == UNUSABLE
    message = capsys.readouterr().err
    assert "expects encrypted connections" in message and "5 of 5 objects were not sent" in message
    assert orthanc.stored() == {}


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_serve_over_tls(orthanc: Orthanc, case: Path, tmp_path: Path, identity: list[object]) -> None:
    """The command receives a CT from Orthanc and sends a result to it, both encrypted, both with certificates."""
    port, queue = free_port(), tmp_path / "queue"
    shutil.copytree(case / "out", queue / "jobs" / "earlier" / "done" / "dicom")  # a result that was not sent yet
    options = ["--allow", "ORTHANC", "--port", port, "--quiet", 3600, "--to", orthanc.address, "--device", "cpu"]
    process = start("dicom", "serve", "--queue", queue, *options, "--encrypt", "--tls", *identity)
    try:
        wait_until(lambda: orthanc.stored().keys() == uids(case / "out") or process.poll() is not None)
        assert process.poll() is None
        assert run("send", case / "ct", "--to", orthanc.address, "--tls", *identity) == DONE
        images = [orthanc.stored()[uid] for uid in uids(case / "ct")]
        peer = {"AET": "COVIDSEG", "Host": "127.0.0.1", "Port": port, "UseDicomTls": True}
        orthanc.put("modalities/covidseg", peer)
        orthanc.post("modalities/covidseg/echo", {})
        answer = orthanc.post("modalities/covidseg/store", {"Resources": images})
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert (answer["InstancesCount"], answer["FailedInstancesCount"]) == (12, 0)
    (series,) = (queue / "receiving").iterdir()
    assert uids(series) == uids(case / "ct")


def test_dicomweb_over_https(
    orthanc: Orthanc,
    case: Path,
    tmp_path: Path,
    certificates: dict[str, TlsFiles],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Objects are stored (STOW) and fetched (QIDO, WADO) through a proxy. Without trust, nothing is sent."""
    user, trusted = ["--user", USER], ["--tls-ca", certificates["node"].certificate]
    with https_in_front_of(orthanc.http, certificates["node"]) as address:
        web = f"{address}/dicom-web"
        for untrusted in ([], ["--tls-ca", certificates["client"].certificate]):
            assert run("send", case / "out", "--stow", web, *user, *untrusted, "--attempts", 1) == UNUSABLE
            assert f'The certificate of "{web}" is not trusted' in capsys.readouterr().err
        assert orthanc.stored() == {}
        assert run("send", case / "ct", case / "out", "--stow", web, *user, *trusted) == DONE
        assert orthanc.stored().keys() == uids(case / "out") | uids(case / "ct")
        assert run("fetch", web, *user, *trusted, "--patient", "SECRET-4711", "-o", tmp_path / "ct") == DONE
    assert uids(tmp_path / "ct") == uids(case / "ct")
