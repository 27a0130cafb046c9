"""Archives that refuse, time out or go away: a sentence, another attempt, then the queue."""

from __future__ import annotations

import http.server
import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
from support.orthanc import free_port

from CovidSegLib.archive.address import Address
from CovidSegLib.archive.destination import as_record, from_record, send_with_retries
from CovidSegLib.archive.errors import ArchiveError
from CovidSegLib.archive.files import list_outgoing
from CovidSegLib.archive.outbox import Outbox
from CovidSegLib.archive.store import StoreDestination
from CovidSegLib.archive.stow import StowDestination
from CovidSegLib.archive.tls import TlsFiles
from CovidSegLib.archive.web import WebArchive
from CovidSegLib.cli.main import DONE, UNUSABLE, main
from CovidSegLib.errors import InputError


def run(*arguments: object) -> int:
    return main(["dicom", *map(str, arguments), "--progress", "none"])


@contextmanager
def archive(
    port: int, answer: Callable[[evt.Event], int], called: list[str] | None = None, callers: list[str] | None = None
) -> Iterator[None]:
    """An archive that answers each object with a status."""
    entity = AE("PACS")
    for context in AllStoragePresentationContexts:
        entity.add_supported_context(context.abstract_syntax, ALL_TRANSFER_SYNTAXES)
    entity.require_calling_aet = callers or []

    def store(event: evt.Event) -> int:
        status = answer(event)
        if status == 0 and called is not None:
            called.append(str(event.request.AffectedSOPInstanceUID))
        return status

    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    try:
        yield
    finally:
        server.shutdown()


@pytest.fixture
def port() -> int:
    return free_port()


def queued(folder: Path) -> int:
    """Return how many files wait."""
    return len(list(folder.glob("[!.]*/*.dcm")))


def test_nobody_listens(case: Path, port: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("send", case / "out", "--to", f"PACS@127.0.0.1:{port}", "--attempts", 1) == UNUSABLE
    message = capsys.readouterr().err
    assert f'"PACS@127.0.0.1:{port}" does not answer. Check host, port and network.' in message
    assert "5 of 5 objects were not sent" in message and "send --queued" in message
    assert queued(tmp_path / "outbox") == 5
    assert run("send", case / "out", "--stow", f"http://127.0.0.1:{port}", "--attempts", 1) == UNUSABLE
    assert "does not answer, or went away" in capsys.readouterr().err
    assert queued(tmp_path / "outbox") == 10


@pytest.mark.parametrize("option", ["--to", "--stow"])
def test_an_archive_that_never_answers(case: Path, capsys: pytest.CaptureFixture[str], option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number = listening.getsockname()[1]
        to = f"PACS@127.0.0.1:{number}" if option == "--to" else f"http://127.0.0.1:{number}"
        assert run("send", case / "out", option, to, "--timeout", 0.3, "--attempts", 1) == UNUSABLE
    assert "does not answer" in capsys.readouterr().err


def test_a_title_that_is_not_allowed(case: Path, port: int, capsys: pytest.CaptureFixture[str]) -> None:
    with archive(port, lambda event: 0, callers=["WORKSTATION"]):
        assert run("send", case / "out", "--to", f"PACS@127.0.0.1:{port}", "--attempts", 1) == UNUSABLE
        assert 'it does not know the AE title "COVIDSEG"; add it there' in capsys.readouterr().err
        assert run("send", case / "out", "--to", f"PACS@127.0.0.1:{port}", "--title", "WORKSTATION") == DONE


def test_an_archive_without_room(case: Path, port: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with archive(port, lambda event: 0xA700):
        assert run("send", case / "out", "--to", f"PACS@127.0.0.1:{port}", "--attempts", 1) == UNUSABLE
    assert "(it has no room)" in capsys.readouterr().err
    assert queued(tmp_path / "outbox") == 5


def test_an_archive_that_takes_no_segmentations(case: Path, port: int, capsys: pytest.CaptureFixture[str]) -> None:
    entity = AE("PACS")
    entity.add_supported_context("1.2.840.10008.1.1")
    server = entity.start_server(("127.0.0.1", port), block=False)
    try:
        assert run("send", case / "out", "--to", f"PACS@127.0.0.1:{port}", "--attempts", 1) == UNUSABLE
    finally:
        server.shutdown()
    assert "does not take objects of the kind Segmentation Storage" in capsys.readouterr().err


def test_an_archive_that_goes_away_is_tried_again(case: Path, port: int) -> None:
    """What it has stored is not sent again."""
    stored: list[str] = []
    pauses: list[float] = []

    def answer(event: evt.Event) -> int:
        if len(stored) == 2 and not pauses:
            event.assoc.abort()
        return 0

    files = list_outgoing([case / "out"])
    destination = StoreDestination(Address("PACS", "127.0.0.1", port), timeout=5)
    with archive(port, answer, stored):
        left, failure = send_with_retries(destination, files, attempts=3, pause=7, sleep=pauses.append)
    assert (left, failure, pauses) == ([], None, [7])
    assert set(stored) == {file.sop_instance for file in files}
    assert len(stored) <= len(files) + 1  # the one during which the connection was closed


def test_what_was_not_sent_waits_in_the_queue(
    case: Path, port: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored: list[str] = []
    with archive(port, lambda event: 0 if len(stored) < 2 else 0xC123, stored):
        assert run("send", case / "out", "--to", f"PACS@127.0.0.1:{port}", "--attempts", 1) == UNUSABLE
    assert "(status C123). 3 of 5 objects were not sent" in capsys.readouterr().err.replace("\n", " ")
    assert queued(tmp_path / "outbox") == 3
    assert run("send", "--queued") == UNUSABLE  # it is still away
    assert "1 of 1 entries of the queue were not sent; they are kept" in capsys.readouterr().err
    assert queued(tmp_path / "outbox") == 3
    with archive(port, lambda event: 0, stored):
        assert run("send", "--queued") == DONE
    assert "Sent: 3 objects" in capsys.readouterr().out
    assert sorted(stored) == sorted(file.sop_instance for file in list_outgoing([case / "out"]))
    assert queued(tmp_path / "outbox") == 0
    assert (tmp_path / "outbox").stat().st_mode & 0o077 == 0


def test_the_queue_is_tried_ever_more_rarely(case: Path, port: int, tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "queue")
    outbox.add([case / "out" / "zones.dcm"], StoreDestination(Address("PACS", "127.0.0.1", port)))
    dues = []
    for _ in range(9):
        (entry,) = outbox.entries()
        with pytest.raises(ArchiveError):
            outbox.deliver(entry, now=lambda: 1000.0)
        dues.append(outbox.entries()[0].due - 1000)
    assert dues == [5, 10, 20, 40, 80, 160, 320, 600, 600]


def test_a_full_disk_leaves_no_entry(case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(shutil, "copyfile", fail)
    outbox = Outbox(tmp_path / "queue")
    with pytest.raises(InputError, match="The disk is full"):
        outbox.add([case / "out" / "zones.dcm"], StoreDestination(Address("PACS", "127.0.0.1", 104)))
    assert list((tmp_path / "queue").iterdir()) == []


def test_a_damaged_entry(case: Path, port: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The others are sent nevertheless."""
    (tmp_path / "outbox" / "1").mkdir(parents=True)
    (tmp_path / "outbox" / "1" / "entry.json").write_text("{}")
    destination = StoreDestination(Address("PACS", "127.0.0.1", port), timeout=5)
    for number in range(2):
        Outbox(tmp_path / "outbox").add([case / "out" / "zones.dcm"], destination)
        if number:
            next((tmp_path / "outbox").glob("0*/*.dcm")).write_text("no DICOM")
    stored: list[str] = []
    with archive(port, lambda event: 0, stored):
        assert run("send", "--queued") == UNUSABLE
    message = capsys.readouterr().err
    assert "is damaged" in message and "2 of 3 entries of the queue were not sent; they are kept" in message
    assert len(stored) == 1
    assert queued(tmp_path / "outbox") == 1


@pytest.mark.parametrize(
    "destination",
    [
        StoreDestination(Address("PACS", "::1", 104), "ME", 3.0, TlsFiles(Path("/a"), Path("/b"), None)),
        StoreDestination(Address("PACS", "pacs", 104)),
        StowDestination(WebArchive("https://pacs/web", "alice", 9.0, Path("/ca.pem"))),
    ],
)
def test_destinations_are_remembered(destination: StoreDestination | StowDestination) -> None:
    record = json.loads(json.dumps(as_record(destination)))
    assert from_record(record) == destination


@pytest.mark.parametrize(
    "text", ["PACS", "PACS@host", "@host:104", "PACS@host:0", "PACS@host:99999", "TOOLONGTITLE12345@h:1"]
)
def test_addresses(text: str) -> None:
    with pytest.raises(InputError):
        Address.parse(text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["send", "CASE/out"], "Say where to send"),
        (["send"], "Name the DICOM files to send"),
        (["send", "CASE/report.pdf", "--to", "A@h:1"], "is not a DICOM file"),
        (["send", "CASE/none", "--to", "A@h:1"], "There is no file or folder"),
        (["send", "CASE/out", "--stow", "ftp://h"], "is not the address of a DICOMweb archive"),
        (["send", "CASE/out", "--stow", "http://a:b@h"], "Do not put a password into the address"),
        (["send", "CASE/out", "--to", "A@h:1", "--tls", "--tls-ca", "CASE/report.pdf"], "Name files in PEM format"),
        (["send", "CASE/out", "--queued"], "give neither files nor a destination"),
        (["fetch", "http://h"], "Give either --output"),
        (["serve", "--queue", "QUEUE", "--allow", "PACS"], "Say where to send"),
        (["serve", "--queue", "QUEUE", "--allow", "PA\\CS", "--to", "A@h:1"], "is not an AE title"),
        (["serve", "--queue", "QUEUE", "--allow", "PACS", "--to", "A@h:1", "--encrypt"], "needs a certificate"),
    ],
)
def test_arguments(
    case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    queue = str(tmp_path / "queue")
    assert run(*(part.replace("CASE", str(case)).replace("QUEUE", queue) for part in arguments)) == UNUSABLE
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# DICOMweb


class Web(http.server.BaseHTTPRequestHandler):
    """Answers QIDO for one series of three images, and sends as much of the body of WADO as `sent` says."""

    body, sent, status, failed = b"", 1.0, 200, False

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        if "series/1.2.4" in self.path:
            kind, body = 'multipart/related; type="application/dicom"; boundary=BOUNDARY', self.body
        else:
            kind = "application/dicom+json"
            values = {"0020000D": "1.2.3", "0020000E": "1.2.4", "00080060": "CT", "00201209": 3}
            body = json.dumps([{tag: {"vr": "UI", "Value": [value]} for tag, value in values.items()}]).encode()
        self.answer(kind, body)

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length")
        self.rfile.read(int(length)) if length else None
        data = Dataset()
        item = Dataset()
        item.FailureReason = 0xA700
        data.FailedSOPSequence = [item] if self.failed else []
        self.answer("application/dicom+json", data.to_json().encode())

    def answer(self, kind: str, body: bytes) -> None:
        self.send_response(self.status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: int(len(body) * self.sent)])


@contextmanager
def web(**attributes: object) -> Iterator[str]:
    handler = type("Handler", (Web,), attributes)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def multipart(files: list[Path]) -> bytes:
    parts = [b"--BOUNDARY\r\nContent-Type: application/dicom\r\n\r\n" + path.read_bytes() + b"\r\n" for path in files]
    return b"".join(parts) + b"--BOUNDARY--"


@pytest.mark.parametrize(
    ("count", "sent", "message"),
    [
        (2, 1.0, "sent 2 of 3 images. Nothing was written"),
        (3, 0.6, "does not answer, or went away"),
    ],
)
def test_fetching_that_stops_in_the_middle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], count: int, sent: float, message: str
) -> None:
    from support.dicom_results import write_ct

    write_ct(tmp_path / "images", uid="1.2.4")
    with web(body=multipart(sorted((tmp_path / "images").iterdir())[:count]), sent=sent) as url:
        assert run("fetch", url, "--study", "1.2.3", "-o", tmp_path / "ct") == UNUSABLE
    assert message in capsys.readouterr().err
    assert not (tmp_path / "ct").exists()


def test_fetching_onto_a_full_disk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from support.dicom_results import write_ct

    write_ct(tmp_path / "images", uid="1.2.4")
    body = multipart(sorted((tmp_path / "images").iterdir())[:3])

    def fail(self: Dataset, path: Path, **options: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Dataset, "save_as", fail)
    with web(body=body) as url:
        assert run("fetch", url, "--study", "1.2.3", "-o", tmp_path / "ct") == UNUSABLE
    assert "The disk is full" in capsys.readouterr().err
    assert not (tmp_path / "ct").exists()


@pytest.mark.parametrize(("status", "message"), [(500, "it has failed (HTTP 500)"), (507, "it has no room (HTTP 507)")])
def test_web_archives_that_refuse(case: Path, capsys: pytest.CaptureFixture[str], status: int, message: str) -> None:
    with web(status=status) as url:
        assert run("send", case / "out" / "report.dcm", "--stow", url, "--attempts", 1) == UNUSABLE
    assert message in capsys.readouterr().err


def test_a_web_archive_that_does_not_store(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It answers that all is well, and lists what has failed."""
    with web(failed=True) as url:
        assert run("send", case / "out" / "report.dcm", "--stow", url, "--attempts", 1) == UNUSABLE
    assert "did not store an object of the kind Encapsulated PDF Storage (reason A700)" in capsys.readouterr().err
