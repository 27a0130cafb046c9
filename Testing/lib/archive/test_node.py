"""The node that receives CTs: who may connect, what is stored, and that it is on the disk before it is confirmed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest
from pynetdicom import AE

from CovidSegLib.archive.address import Address
from CovidSegLib.archive.errors import ArchiveError
from CovidSegLib.archive.files import list_outgoing
from CovidSegLib.archive.node import NodeSettings, ReceivingNode, digest
from CovidSegLib.archive.store import StoreDestination
from CovidSegLib.archive.tls import TlsFiles
from CovidSegLib.errors import InputError


@contextmanager
def node(folder: Path, tls: TlsFiles | None = None, errors: list[str] | None = None) -> Iterator[ReceivingNode]:
    settings = NodeSettings("COVIDSEG", "127.0.0.1", 0, ["PACS"], tls)
    receiving = ReceivingNode(folder, settings, (errors if errors is not None else []).append)
    receiving.start()
    try:
        yield receiving
    finally:
        receiving.stop()


def to(receiving: ReceivingNode, title: str = "PACS", tls: TlsFiles | None = None) -> StoreDestination:
    return StoreDestination(Address("COVIDSEG", "127.0.0.1", receiving.port), title, 10, tls)


def test_images_are_stored_by_series_without_names(case: Path, tmp_path: Path) -> None:
    files = list_outgoing([case / "ct"])
    with node(tmp_path / "in") as receiving:
        to(receiving).echo()
        to(receiving).send(files, lambda file: None)
        (folder,) = (tmp_path / "in").iterdir()
        assert receiving.complete_series(30) == []
        assert receiving.complete_series(0) == [folder]
    data = pydicom.dcmread(files[0].path)
    assert folder.name == digest(data.SeriesInstanceUID)
    stored = {path.name: pydicom.dcmread(path) for path in folder.iterdir()}
    assert len(stored) == 12
    assert stored[f"{digest(data.SOPInstanceUID)}.dcm"] == data
    assert folder.stat().st_mode & 0o077 == 0


def test_other_titles_are_refused(case: Path, tmp_path: Path) -> None:
    with node(tmp_path / "in") as receiving:
        with pytest.raises(ArchiveError, match='it does not know the AE title "INTRUDER"'):
            to(receiving, "INTRUDER").send(list_outgoing([case / "ct"]), lambda file: None)
        other = StoreDestination(Address("OTHER", "127.0.0.1", receiving.port), "PACS", 10)
        with pytest.raises(ArchiveError, match="another AE title"):
            other.send(list_outgoing([case / "ct"]), lambda file: None)
    assert not (tmp_path / "in").exists()


def test_only_cts_are_taken(case: Path, tmp_path: Path) -> None:
    """Its own results, for example, which an archive forwards."""
    with node(tmp_path / "in") as receiving, pytest.raises(ArchiveError, match="does not take objects of the kind"):
        to(receiving).send(list_outgoing([case / "out"]), lambda file: None)
    assert not (tmp_path / "in").exists()


def test_a_full_disk_is_reported_to_the_sender(case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace, errors = Path.replace, []

    def fail(self: Path, target: Path) -> Path:
        if len(list(target.parent.glob("*.dcm"))) == 2:
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fail)
    stored = []
    with node(tmp_path / "in", errors=errors) as receiving, pytest.raises(ArchiveError, match="it has no room"):
        to(receiving).send(list_outgoing([case / "ct"]), stored.append)
    (folder,) = (tmp_path / "in").iterdir()
    assert len(stored) == 2
    assert sorted(path.suffix for path in folder.iterdir()) == [".dcm", ".dcm"]
    assert errors == ["An image could not be stored (No space left on device). The sender was told."]


def test_little_room_is_reported_before_the_disk_is_full(
    case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=100_000_000))
    with node(tmp_path / "in") as receiving, pytest.raises(ArchiveError, match="it has no room"):
        to(receiving).send(list_outgoing([case / "ct"]), lambda file: None)


def test_every_image_is_flushed_before_it_is_confirmed(
    case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (flushed.append(handle), fsync(handle))[1])
    confirmed: list[int] = []
    with node(tmp_path / "in") as receiving:
        to(receiving).send(list_outgoing([case / "ct"]), lambda file: confirmed.append(len(flushed)))
    assert confirmed == list(range(1, 13))


def test_images_that_arrive_late_join_their_series(case: Path, tmp_path: Path) -> None:
    files = list_outgoing([case / "ct"])
    with node(tmp_path / "in") as receiving:
        for part in (files[:5], files[5:]):
            to(receiving).send(part, lambda file: None)
            (folder,) = receiving.complete_series(0)
            receiving.take(folder, tmp_path / "job" / "ct")
    assert len(list((tmp_path / "job" / "ct").iterdir())) == 12
    assert list((tmp_path / "in").iterdir()) == []


def test_an_object_without_uids_is_refused(tmp_path: Path) -> None:
    errors: list[str] = []
    with node(tmp_path / "in", errors=errors) as receiving:
        entity = AE("PACS")
        entity.add_requested_context("1.2.840.10008.5.1.4.1.1.2")
        association = entity.associate("127.0.0.1", receiving.port, ae_title="COVIDSEG")
        data = pydicom.Dataset()
        data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3"
        data.file_meta = pydicom.dataset.FileMetaDataset()
        data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2"
        assert association.send_c_store(data).Status == 0xC000
        association.release()
    assert errors == ["An object without UIDs was refused."]
    assert not (tmp_path / "in").exists()


def test_a_port_in_use(tmp_path: Path) -> None:
    with node(tmp_path / "in") as receiving:
        second = ReceivingNode(tmp_path, NodeSettings("COVIDSEG", "127.0.0.1", receiving.port, ["PACS"]))
        with pytest.raises(InputError, match=r"cannot listen on 127\.0\.0\.1.*Choose another port"):
            second.start()


# TLS


def test_encrypted_connections(case: Path, tmp_path: Path, certificates: dict[str, TlsFiles]) -> None:
    server, client = certificates["node"], certificates["client"]
    files = list_outgoing([case / "ct"])[:2]
    trusting = TlsFiles(authorities=server.certificate)
    known = TlsFiles(client.certificate, client.key, server.certificate)
    with node(tmp_path / "in", TlsFiles(server.certificate, server.key, client.certificate)) as receiving:
        to(receiving, tls=known).send(files, lambda file: None)
        for refused in (None, trusting, TlsFiles(client.certificate, client.key)):
            with pytest.raises(ArchiveError, match=r"does not answer|closed the connection|went away"):
                to(receiving, tls=refused).send(files, lambda file: None)
    (folder,) = (tmp_path / "in").iterdir()
    assert len(list(folder.iterdir())) == 2
    with node(tmp_path / "any", server) as receiving:
        to(receiving, tls=trusting).send(files, lambda file: None)
    assert len(list((tmp_path / "any").iterdir())) == 1


def test_a_node_without_certificate() -> None:
    with pytest.raises(InputError, match="Give --tls-cert and --tls-key"):
        TlsFiles().server_context()
