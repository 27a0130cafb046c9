"""The whole way: a CT goes from Orthanc to `covidseg dicom serve`, and its results come back, equal to the voxel."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pydicom
import pytest
from support.command_line import start
from support.dicom_factory import write_series
from support.dicom_readers import read_report, read_segments
from support.dicom_results import complete
from support.orthanc import Orthanc, free_port
from support.phantoms import UPPER, dice, phantom_on

from CovidSegLib import dicom
from CovidSegLib.archive.address import Address
from CovidSegLib.archive.files import list_outgoing
from CovidSegLib.archive.store import StoreDestination


@contextmanager
def serving(orthanc: Orthanc, queue: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """`covidseg dicom serve` in a process of its own, ready to receive."""
    options = ["--allow", "ORTHANC", "--port", str(port), "--quiet", "1", "--to", orthanc.address, "--device", "cpu"]
    process = start("dicom", "serve", "--queue", queue, *options)
    destination = StoreDestination(Address("COVIDSEG", "127.0.0.1", port), "ORTHANC", timeout=5)
    try:
        end = time.monotonic() + 60
        while True:
            try:
                destination.echo()
                break
            except Exception:
                assert time.monotonic() < end and process.poll() is None
                time.sleep(0.1)
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT and SIGKILL")
def test_from_orthanc_and_back(orthanc: Orthanc, tmp_path: Path) -> None:
    """The service is killed after it has received the CT; the next one goes on."""
    phantom = phantom_on(UPPER)
    write_series(tmp_path / "ct", phantom.volume.array, phantom.volume.grid, edit=complete)
    port, queue = free_port(), tmp_path / "queue"
    with serving(orthanc, queue, port) as process:
        destination = StoreDestination(Address("COVIDSEG", "127.0.0.1", port), "ORTHANC")
        destination.send(list_outgoing([tmp_path / "ct"]), lambda file: None)
        process.kill()
        process.wait()
    with serving(orthanc, queue, port) as process:
        end = time.monotonic() + 300
        while len(orthanc.stored()) < 4 or [*(queue / "outbox").glob("[!.]*")]:
            assert time.monotonic() < end and process.poll() is None
            time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        printed, errors = process.communicate(timeout=60)
    assert process.returncode == 3
    assert b"0 series and 0 results wait in the queue" in errors
    assert b"objects sent." in printed and b"Doe" not in printed + errors

    source = dicom.read_source(tmp_path / "ct")
    found = {}
    for uid, identifier in orthanc.stored().items():
        path = tmp_path / f"{uid}.dcm"
        path.write_bytes(orthanc.file(identifier))
        data = pydicom.dcmread(path)
        assert (data.StudyInstanceUID, data.PatientID) == ("1.2.3.4", "SECRET-4711")
        found[data.SeriesDescription.removeprefix("CovidSeg: ")] = path
    assert {"Lungs and infection", "Zones of the lungs", "Lesions", "Measurements"} <= found.keys()
    masks = read_segments(found["Lungs and infection"], tmp_path / "read", source.volume.grid)
    expected = phantom.lungs
    assert dice(masks["Right lung"], expected == 1) > 0.9
    assert dice(masks["Left lung"], expected == 2) > 0.9
    measured = read_report(found["Measurements"], tmp_path / "read.json")["Measurements"]
    volume = next(item for item in measured[0]["measurementItems"] if item["quantity"]["CodeValue"] == "118565006")
    ml = source.volume.grid.voxel_ml
    assert float(volume["value"]) == pytest.approx(np.count_nonzero(masks["Right lung"]) * ml, abs=1e-2)
