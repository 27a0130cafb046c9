"""The service: every series that was received is segmented and sent, whatever happens in between."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, evt
from pynetdicom.sop_class import SegmentationStorage
from support.orthanc import free_port

from CovidSegLib.archive.address import Address
from CovidSegLib.archive.node import NodeSettings, ReceivingNode
from CovidSegLib.archive.outbox import Outbox
from CovidSegLib.archive.service import Service, _message, child_segmenter, prepared_queue
from CovidSegLib.archive.store import StoreDestination
from CovidSegLib.errors import InputError

ROOT = Path(__file__).parents[3]


class Away:
    """A destination that does not exist until it is told to."""

    def __init__(self) -> None:
        self.port = free_port()
        self.destination = StoreDestination(Address("PACS", "127.0.0.1", self.port), timeout=5)


def segment_with(objects: Path, code: int = 0) -> Callable[[Path, Path], tuple[int, str]]:
    """In place of the networks: copies objects that were exported before."""

    def segment(ct: Path, out: Path) -> tuple[int, str]:
        if code:
            return code, "This is not a chest CT. Choose another one."
        shutil.copytree(objects, out / "dicom")
        return 0, ""

    return segment


def service_on(
    queue: Path, segment: Callable[[Path, Path], tuple[int, str]], log: list[str] | None = None
) -> tuple[Service, Away]:
    away = Away()
    node = ReceivingNode(queue / "receiving", NodeSettings("COVIDSEG", "127.0.0.1", 0, ["PACS"]))
    sentences = log if log is not None else []
    return Service(queue, node, away.destination, segment, quiet=0, log=sentences.append), away


def receive(queue: Path, ct: Path, name: str = "a") -> None:
    """Put a CT where the node puts it."""
    (queue / "receiving" / name).mkdir(parents=True, exist_ok=True)
    for path in ct.iterdir():
        shutil.copy(path, queue / "receiving" / name / f"{path.stem}.dcm")


def test_from_an_image_to_the_outbox(case: Path, tmp_path: Path) -> None:
    log: list[str] = []
    service, _ = service_on(tmp_path, segment_with(case / "out"), log)
    receive(tmp_path, case / "ct")
    assert service.waiting() == (1, 0)
    service.step()
    assert service.waiting() == (0, 1)
    (entry,) = service.outbox.entries()
    assert {path.name for path in entry.folder.glob("*.dcm")} == {path.name for path in (case / "out").iterdir()}
    assert [sentence.partition(":")[2].strip()[:12] for sentence in log] == [
        "12 images re",
        "segmented in",
        "not sent, it",
    ]
    assert entry.attempts == 1


def test_a_ct_that_cannot_be_segmented(case: Path, tmp_path: Path) -> None:
    """It is kept with the reason, and not tried again."""
    log: list[str] = []
    service, _ = service_on(tmp_path, segment_with(case / "out", code=2), log)
    receive(tmp_path, case / "ct")
    service.step()
    assert service.waiting() == (0, 0)
    assert (tmp_path / "failed" / "a" / "reason.txt").read_text() == "This is not a chest CT. Choose another one.\n"
    assert len(list((tmp_path / "failed" / "a" / "ct").iterdir())) == 12
    assert "This is not a chest CT" in log[-1]
    receive(tmp_path, case / "ct")
    service.step()
    assert len(list((tmp_path / "failed").iterdir())) == 2


def test_a_segmentation_that_crashes_is_tried_again(case: Path, tmp_path: Path) -> None:
    service, _ = service_on(tmp_path, segment_with(case / "out", code=-9))
    receive(tmp_path, case / "ct")
    for _ in range(2):
        service.step()
        assert service.waiting() == (1, 0)
    service.step()
    assert (tmp_path / "failed" / "a").is_dir()


def test_images_that_arrive_late_are_segmented_with_the_others(case: Path, tmp_path: Path) -> None:
    seen: list[int] = []

    def segment(ct: Path, out: Path) -> tuple[int, str]:
        seen.append(len(list(ct.iterdir())))
        return -9, ""

    service, _ = service_on(tmp_path, segment)
    receive(tmp_path, case / "ct")
    late = next((tmp_path / "receiving" / "a").iterdir())
    late.rename(tmp_path / "late.dcm")
    service.step()
    (tmp_path / "receiving" / "a").mkdir()
    (tmp_path / "late.dcm").rename(late)
    service.step()
    assert seen == [11, 12]


@pytest.mark.parametrize("leftover", ["jobs/a/done/dicom", "jobs/a/new-1/dicom", "jobs/a/ct", "receiving/a"])
def test_it_goes_on_from_every_state(case: Path, tmp_path: Path, leftover: str) -> None:
    """What a killed process may leave behind."""
    if leftover == "receiving/a":
        receive(tmp_path, case / "ct")
    else:
        shutil.copytree(case / ("out" if leftover.endswith("dicom") else "ct"), tmp_path / leftover)
    if "new-1" in leftover:
        shutil.copytree(case / "ct", tmp_path / "jobs" / "a" / "ct")
    service, _ = service_on(tmp_path, segment_with(case / "out"))
    service.step()
    (entry,) = service.outbox.entries()
    assert len(entry.files()) == 5
    assert service.waiting() == (0, 1)


def test_what_was_handed_over_is_not_computed_again(case: Path, tmp_path: Path) -> None:
    (tmp_path / "jobs" / "a" / "done").mkdir(parents=True)
    shutil.copytree(case / "ct", tmp_path / "jobs" / "a" / "ct")
    service, _ = service_on(tmp_path, segment_with(case / "out"))
    service.step()
    assert service.waiting() == (0, 0)


def test_a_full_disk_loses_nothing(case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service, _ = service_on(tmp_path, segment_with(case / "out"))
    receive(tmp_path, case / "ct")
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if self.name.startswith("new-"):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    with monkeypatch.context() as context:
        context.setattr(Path, "rename", fail)
        with pytest.raises(InputError, match="The disk is full"):
            service.step()
    assert service.waiting() == (1, 0)
    service.step()
    assert service.waiting() == (0, 1)


def test_one_process_uses_a_queue(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from CovidSegLib.archive.service import prepared_queue\n"
        "with prepared_queue(Path(sys.argv[1])): pass"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "queue")]
    with prepared_queue(tmp_path / "queue"):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert "Another process is writing to" in done.stderr
    assert (tmp_path / "queue").stat().st_mode & 0o077 == 0


def test_the_child_process_reports_why(tmp_path: Path) -> None:
    """The real command, on a folder without a CT."""
    (tmp_path / "ct").mkdir()
    code, message = child_segmenter([])(tmp_path / "ct", tmp_path / "out")
    assert code == 2
    assert "contains no DICOM images" in message
    assert _message(b"no json") == ""


# A service that is killed again and again.

SCRIPT = """
import shutil, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from CovidSegLib.archive.address import Address
from CovidSegLib.archive.node import NodeSettings, ReceivingNode
from CovidSegLib.archive.service import Service, prepared_queue
from CovidSegLib.archive.store import StoreDestination
queue, objects, port = Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])

def segment(ct, out):
    time.sleep(0.02)
    (out / "dicom").mkdir(parents=True)
    for path in objects.iterdir():
        shutil.copy(path, out / "dicom" / f"{ct.parent.name}-{path.name}")
        time.sleep(0.005)
    return 0, ""

node = ReceivingNode(queue / "receiving", NodeSettings("COVIDSEG", "127.0.0.1", 0, ["PACS"]))
with prepared_queue(queue):
    service = Service(queue, node, StoreDestination(Address("PACS", "127.0.0.1", port), timeout=5), segment, quiet=0)
    print("ready", flush=True)
    while service.waiting() != (0, 0):
        service.step()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_nothing_is_lost_when_it_is_killed(case: Path, tmp_path: Path) -> None:
    """Twelve series, killed at arbitrary moments. Each one arrives, and nothing is left."""
    objects = tmp_path / "objects"
    objects.mkdir()
    queue, names = tmp_path / "queue", [f"series{number:02d}" for number in range(12)]
    data = pydicom.dcmread(case / "out" / "zones.dcm")
    data.save_as(objects / "zones.dcm")
    for name in names:
        (queue / "receiving" / name).mkdir(parents=True)
        shutil.copy(next((case / "ct").iterdir()), queue / "receiving" / name / "1.dcm")
    arrived: list[float] = []
    entity = AE("PACS")
    entity.add_supported_context(SegmentationStorage, ALL_TRANSFER_SYNTAXES)
    port = free_port()

    def store(event: evt.Event) -> int:
        arrived.append(time.monotonic())
        return 0

    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    command = [sys.executable, "-c", SCRIPT, str(ROOT), str(queue), str(objects), str(port)]
    try:
        kills = 0
        for delay in (0.02, 0.15, 0.25, 0.3):
            process = subprocess.Popen(command, stdout=subprocess.PIPE)
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(delay)
            kills += process.poll() is None
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert kills >= 2
        subprocess.run(command, check=True, timeout=180, capture_output=True)
    finally:
        server.shutdown()
    assert len(arrived) >= len(names)
    assert len(arrived) <= len(names) + kills  # an object that was stored when the process was killed is sent again
    assert Outbox(queue / "outbox").entries() == []
    assert not [path for path in queue.rglob("*.dcm") if ".removed" not in str(path)]
