"""A real Orthanc with DICOMweb on loopback, for tests."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from CovidSegLib.archive.tls import TlsFiles

PLUGINS = [Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so"), Path("/usr/lib/orthanc/libOrthancDicomWeb.so")]
USER, PASSWORD = "alice", "secret"


@dataclass
class Orthanc:
    """A running Orthanc.

    Attributes:
        http: Port of HTTP.
        dicom: Port of DICOM. Its AE title is ORTHANC.
    """

    http: int
    dicom: int

    @property
    def url(self) -> str:
        """Address of DICOMweb."""
        return f"http://127.0.0.1:{self.http}/dicom-web"

    @property
    def address(self) -> str:
        """Address of the DICOM node."""
        return f"ORTHANC@127.0.0.1:{self.dicom}"

    def get(self, path: str) -> Any:
        """Return an answer of the REST interface, as JSON values."""
        return self._request("GET", path).json()

    def put(self, path: str, values: Any) -> None:
        """Change a setting by the REST interface."""
        self._request("PUT", path, json=values)

    def post(self, path: str, values: Any) -> Any:
        """Request an action by the REST interface, and return its answer."""
        return self._request("POST", path, json=values).json()

    def file(self, instance: str) -> bytes:
        """Return a stored object."""
        return self._request("GET", f"instances/{instance}/file").content

    def stored(self) -> dict[str, str]:
        """Return the identifiers of all stored objects in Orthanc by their SOP Instance UID."""
        return {item["MainDicomTags"]["SOPInstanceUID"]: item["ID"] for item in self.get("instances?expand")}

    def clear(self) -> None:
        """Remove everything."""
        for patient in self.get("patients"):
            self._request("DELETE", f"patients/{patient}")

    def _request(self, method: str, path: str, **options: Any) -> requests.Response:
        url = f"http://127.0.0.1:{self.http}/{path}"
        answer = requests.request(method, url, auth=(USER, PASSWORD), timeout=30, **options)
        answer.raise_for_status()
        return answer


def free_port() -> int:
    """Return a TCP port that nobody uses now."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


@contextmanager
def running_orthanc(
    folder: Path, tls: TlsFiles | None = None, trusted: Path | None = None, **settings: Any
) -> Iterator[Orthanc]:
    """Start Orthanc, and stop it at the end of the `with` block. The test is skipped if it is not installed.

    Args:
        folder: Where it stores everything.
        tls: Certificate and key with which it encrypts connections by DICOM; None if it does not. The web server is
            never encrypted: Debian's Orthanc 1.10.1 crashes at the first request by HTTPS (civetweb 1.15, OpenSSL 3).
        trusted: Certificates that it trusts. With `tls`, callers by DICOM need one of them.
        settings: Further settings of its configuration.
    """
    program = shutil.which("Orthanc", path="/usr/sbin:/usr/bin:/usr/local/bin") or shutil.which("Orthanc")
    plugin = next((path for path in PLUGINS if path.exists()), None)
    if program is None or plugin is None:
        pytest.skip("Orthanc with DICOMweb is not installed: apt-get install orthanc orthanc-dicomweb")
    folder.mkdir(parents=True, exist_ok=True)
    archive = Orthanc(free_port(), free_port())
    encryption = _encryption(tls, trusted) if tls else {}
    configuration = {
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "Plugins": [str(plugin)],
        "HttpPort": archive.http,
        "DicomPort": archive.dicom,
        "DicomAet": "ORTHANC",
        "DicomCheckCalledAet": True,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        **encryption,
        **settings,
    }
    (folder / "orthanc.json").write_text(json.dumps(configuration))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log)
        try:
            _wait(archive, process, folder / "log")
            yield archive
        finally:
            process.terminate()
            process.wait(30)


def _encryption(tls: TlsFiles, trusted: Path | None) -> dict[str, Any]:
    return {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(tls.certificate),
        "DicomTlsPrivateKey": str(tls.key),
        "DicomTlsTrustedCertificates": str(trusted or tls.certificate),
    }


def _wait(archive: Orthanc, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            archive.get("system")
            return
        except requests.exceptions.RequestException:
            time.sleep(0.1)
    pytest.fail(f"Orthanc does not start: {log.read_text(errors='replace')[-2000:]}")
