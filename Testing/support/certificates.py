"""Certificates that are their own authorities, for servers and clients on loopback."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from CovidSegLib.archive.tls import TlsFiles


def self_signed(folder: Path, name: str) -> TlsFiles:
    """Make a certificate for 127.0.0.1 and localhost. The test is skipped without openssl.

    Args:
        folder: Where to; the files are `NAME.pem` and `NAME.key`.
        name: Common name of its subject.
    """
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make a certificate")
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, capture_output=True, check=True)
    return TlsFiles(certificate, key)
