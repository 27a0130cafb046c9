"""Downloads cannot be changed on their way, and end at a limit."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import requests
from support.https_server import serve_http, serve_https

from CovidSegLib.cli import main as cli
from CovidSegLib.data.resuming_downloader import ResumingDownloader
from CovidSegLib.errors import InputError
from CovidSegLib.models import archives
from CovidSegLib.models.fetch import fetch

CONTENT = bytes(range(256)) * 4000
LIMIT = 2_000_000


class Handler(BaseHTTPRequestHandler):
    """Serves files by what their names ask for."""

    plain = ""
    asked: list[str] = []  # noqa: RUF012 - cleared by each test

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path.startswith("/to-http"):
            self._redirect(f"{self.plain}/model.zip")
        elif self.path.startswith("/to-itself"):
            self._redirect(self.path)
        elif self.path.startswith("/relative"):
            self._redirect("model.zip")
        elif self.path.startswith("/to-file"):
            self._redirect("file:///etc/passwd")
        elif self.path.startswith("/nowhere"):
            self._redirect("https://[bad")
        elif self.path.startswith("/endless"):
            self.send_response(200)
            self.end_headers()
            for _ in range(1000):
                self.wfile.write(CONTENT)
        else:
            body = gzip.compress(bytes(10**8)) if self.path.startswith("/gzip") else CONTENT
            stated = {"/huge": 10**12, "/cut": len(body) + 1}.get(self.path, len(body))
            self.send_response(200)
            self.send_header("Content-Length", str(stated))
            if self.path.startswith("/gzip"):
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            self.wfile.write(body)

    def _redirect(self, target: str) -> None:
        self.send_response(302)
        self.send_header("Location", target)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def http(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    Handler.asked.clear()
    with serve_http(Handler) as address:
        yield address


@pytest.fixture
def https(http: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Handler, "plain", http)
    with serve_https(tmp_path, Handler) as (address, certificate):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        yield address


def test_a_file_is_downloaded_over_https(https: str, tmp_path: Path) -> None:
    for name in ("model.zip", "relative"):
        fetch(f"{https}/{name}", tmp_path / "file", limit=LIMIT)
        assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("plain_http", [False, True])
def test_a_redirect_to_http_is_not_followed(https: str, tmp_path: Path, plain_http: bool) -> None:
    with pytest.raises(InputError, match=r"could be changed on its way\. It leads on to http:"):
        fetch(f"{https}/to-http", tmp_path / "file", limit=LIMIT, plain_http=plain_http)
    assert Handler.asked == ["/to-http"]
    assert not (tmp_path / "file").exists()


def test_data_sets_are_not_taken_from_a_redirect_to_http(https: str, tmp_path: Path) -> None:
    downloader = ResumingDownloader(tmp_path / "data.part")
    with pytest.raises(requests.RequestException, match="redirected from https to http"):
        downloader(f"{https}/to-http", str(tmp_path / "data"), None)
    assert not (tmp_path / "data").exists()


def test_the_certificate_is_checked(https: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(InputError, match=r"cannot be downloaded \(SSLError\)"):
        fetch(f"{https}/model.zip", tmp_path / "file", limit=LIMIT)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("huge", "larger than 0.0 GB: too large for a model"),
        ("endless", "larger than 0.0 GB: too large for a model"),
        ("cut", "cannot be downloaded"),
        ("to-itself", "too many redirects"),
        ("to-file", "could be changed on its way"),
        ("nowhere", "leads to what is not a valid address"),
    ],
)
def test_what_cannot_be_used_is_refused(http: str, tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fetch(f"{http}/{name}", tmp_path / "file", limit=LIMIT, plain_http=True)
    assert not (tmp_path / "file").exists() or (tmp_path / "file").stat().st_size <= LIMIT


def test_compressed_transfers_are_not_inflated(http: str, tmp_path: Path) -> None:
    fetch(f"{http}/gzip", tmp_path / "file", limit=LIMIT, plain_http=True)
    assert (tmp_path / "file").stat().st_size < LIMIT


@pytest.mark.parametrize("name", ["huge", "endless", "model.zip", "cut"])
def test_the_command_ends_with_a_sentence(
    http: str, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], own_models: Path
) -> None:
    monkeypatch.setattr(archives, "LARGEST_ARCHIVE", LIMIT)
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert cli.main(["models", "install", f"{http}/{name}", "--sha256", digest]) == cli.UNUSABLE
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1 and errors.endswith(".\n")
    assert not own_models.exists()
    assert cli.main(["models", "install", "https://[bad", "--sha256", digest]) == cli.UNUSABLE
    assert "not a valid address" in capsys.readouterr().err
