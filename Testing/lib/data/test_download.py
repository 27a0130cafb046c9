"""Data sets are downloaded completely, resumed after interruptions, and verified."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.range_server import Served, serve

from CovidSegLib.cli import main as cli
from CovidSegLib.data import resuming_downloader as resuming
from CovidSegLib.data import sources
from CovidSegLib.data.download import RECORD, download
from CovidSegLib.data.sources import RemoteFile, Source
from CovidSegLib.data.unpack import unpack
from CovidSegLib.errors import InputError

PIXELS = np.random.default_rng(0).bytes(300_000)


def zipped(**files: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return held.getvalue()


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(resuming, "PAUSE", 0)
    with serve(Served(zipped(**{"a.nii.gz": PIXELS, "sub/b.txt": b"b"}))) as running:
        yield running


def source(served: Served, checksum: str = "", name: str = "scans.zip") -> Source:
    file = RemoteFile(f"{served.address}/{name}?download=1", checksum)
    return Source("tiny", "Tiny scans", "CC BY 4.0", "N. N., 2020", "https://example.org/tiny", (file,))


def md5(content: bytes) -> str:
    return f"md5:{hashlib.md5(content).hexdigest()}"


def test_a_data_set_is_downloaded_and_unpacked(served: Served, tmp_path: Path) -> None:
    out = tmp_path / "new" / "tiny"
    assert download(source(served, md5(served.content)), out) == [out / "scans"]
    assert (out / "scans" / "a.nii.gz").read_bytes() == PIXELS
    assert (out / "scans" / "sub" / "b.txt").read_bytes() == b"b"
    assert sorted(path.name for path in out.iterdir()) == [RECORD, "scans", "scans.zip"]
    download(source(served, md5(served.content)), out)
    assert served.ranges == [None]  # requested once


def test_an_interrupted_download_is_resumed(served: Served, tmp_path: Path) -> None:
    """Immediately, as long as each attempt adds something. Only the missing bytes are requested."""
    served.break_after = [100_000, 49_152]  # the last bytes before a break, less than a chunk, are lost
    download(source(served, md5(served.content)), tmp_path)
    assert served.ranges == [None, "bytes=98304-", "bytes=147456-"]
    assert (tmp_path / "scans" / "a.nii.gz").read_bytes() == PIXELS


def test_an_interrupted_download_is_resumed_by_the_next_call(served: Served, tmp_path: Path) -> None:
    served.break_after = [100_000, 0]
    with pytest.raises(InputError, match=r"0\.1 MB have arrived: run the command again to continue from there"):
        download(source(served), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scans.zip.part", "scans.zip.part.tag"]
    download(source(served), tmp_path)
    assert served.ranges == [None, "bytes=98304-", "bytes=98304-"]
    assert (tmp_path / "scans" / "a.nii.gz").read_bytes() == PIXELS
    assert not list(tmp_path.glob("*.part*"))


def test_the_download_of_a_changed_file_starts_again(served: Served, tmp_path: Path) -> None:
    served.break_after = [100_000, 0]
    with pytest.raises(InputError):
        download(source(served), tmp_path)
    served.content, served.tag = zipped(**{"a.nii.gz": PIXELS[::-1]}), '"2"'
    download(source(served), tmp_path)
    assert (tmp_path / "scans" / "a.nii.gz").read_bytes() == PIXELS[::-1]


def test_a_download_interrupted_after_its_last_byte_is_complete(served: Served, tmp_path: Path) -> None:
    (tmp_path / "scans.zip.part").write_bytes(served.content)
    (tmp_path / "scans.zip.part.tag").write_text(served.tag)
    download(source(served), tmp_path)
    assert (tmp_path / "scans" / "a.nii.gz").read_bytes() == PIXELS


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_a_file_with_another_checksum_is_refused_and_removed(served: Served, tmp_path: Path, algorithm: str) -> None:
    wrong = f"{algorithm}:{'0' * (32 if algorithm == 'md5' else 64)}"
    with pytest.raises(InputError, match=r"does not have the checksum that its host publishes, and was removed"):
        download(source(served, wrong), tmp_path)
    assert not list(tmp_path.iterdir())


def test_later_downloads_are_compared_with_the_first_one(served: Served, tmp_path: Path) -> None:
    download(source(served), tmp_path)
    kept = json.loads((tmp_path / RECORD).read_text())["scans.zip"]
    assert kept["checksum"] == f"sha256:{hashlib.sha256(served.content).hexdigest()}" and not kept["published"]
    (tmp_path / "scans.zip").write_bytes(served.content[:-1])  # damaged on the disk: downloaded again
    download(source(served), tmp_path)
    assert (tmp_path / "scans.zip").read_bytes() == served.content
    (tmp_path / "scans.zip").unlink()
    served.content, served.tag = zipped(other=b"file"), '"2"'
    with pytest.raises(
        InputError, match=r'does not have the checksum that "downloads.json" has from the first download'
    ):
        download(source(served), tmp_path)
    assert not (tmp_path / "scans.zip").exists()


def test_failed_downloads_are_reported(served: Served, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"none.zip\?download=1 cannot be downloaded \(Not Found\)\. Check the connection"
    ):
        download(source(served, name="none.zip"), tmp_path)
    gone = replace(served, address="http://127.0.0.1:1")
    with pytest.raises(
        InputError, match=r"cannot be downloaded \(ConnectionError\)\. .* download it by hand from https://exa"
    ):
        download(source(gone), tmp_path)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot be written, because it or .* is a file\. Choose another folder"):
        download(source(served), tmp_path / "file")
    (tmp_path / RECORD).write_text("[")
    with pytest.raises(InputError, match=r"cannot be read\. Remove it"):
        download(source(served), tmp_path)


# Archives


def tarred(path: Path, *members: tarfile.TarInfo, content: bytes = b"x") -> Path:
    with tarfile.open(path, "w") as archive:
        for member in members:
            member.size = len(content) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(content) if member.isreg() else None)
    return path


def linked(name: str, to: str) -> tarfile.TarInfo:
    link = tarfile.TarInfo(name)
    link.type, link.linkname = tarfile.SYMTYPE, to
    return link


@pytest.mark.parametrize("name", ["../escaped", "/escaped", "a/../../escaped", "a\\..\\escaped", "c:escaped"])
def test_a_zip_file_that_would_write_outside_its_folder_is_refused(served: Served, tmp_path: Path, name: str) -> None:
    """Neither its files nor its checksum are kept, so that the next download is not compared with it."""
    served.content = zipped(**{"good": b"", name: b""})
    out = tmp_path / "out"
    with pytest.raises(
        InputError, match=r"contains a file that would be written outside its folder .*, and is not used"
    ):
        download(source(served), out)
    assert [path.name for path in out.iterdir()] == [RECORD] and json.loads((out / RECORD).read_text()) == {}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("member", [tarfile.TarInfo("../escaped"), linked("link", "../../x"), linked("link", "/etc")])
def test_a_tar_file_that_would_write_outside_its_folder_is_refused(tmp_path: Path, member: tarfile.TarInfo) -> None:
    archive = tarred(tmp_path / "scans.tar", tarfile.TarInfo("good"), member)
    with pytest.raises(InputError, match="would be written outside its folder"):
        unpack(archive)
    assert [path.name for path in tmp_path.iterdir()] == ["scans.tar"]


def test_a_folder_with_the_archive_s_name_is_not_nested(tmp_path: Path) -> None:
    folder = unpack(tarred(tmp_path / "Task06_Lung.tar", tarfile.TarInfo("Task06_Lung/imagesTr/a")))
    assert (folder / "imagesTr" / "a").read_bytes() == b"x"


def test_a_file_that_is_not_an_archive_is_refused_and_removed(served: Served, tmp_path: Path) -> None:
    served.content = b"<html>Log in</html>"
    with pytest.raises(InputError, match=r'"scans.zip" is not a readable archive'):
        download(source(served), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [RECORD]


# The list


def test_the_list_of_data_sets_is_complete() -> None:
    known = sources.load_sources()
    assert {"covid19-ct-seg", "msd-lung"} <= set(known)
    for each in known.values():
        assert each.title and each.licence and each.citation and each.page
        assert bool(each.files) != bool(each.obtain)
        for file in each.files:
            assert file.url.startswith("https://") and file.name.endswith((".zip", ".tar"))
            assert re.fullmatch(r"|md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", file.checksum)


def test_the_lung_task_has_the_same_checksum_as_in_monai() -> None:
    from monai.apps import DecathlonDataset

    (file,) = sources.find_source("msd-lung").files
    assert file.url == DecathlonDataset.resource["Task06_Lung"]
    assert file.checksum == f"md5:{DecathlonDataset.md5['Task06_Lung']}"


def test_the_command(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, message in (
        (["nothing"], 'There is no data set "nothing". Data sets: covid19-ct-seg, msd-lung'),
        (["covid-19-20", "-o", "x"], '"covid-19-20" has to be obtained by hand: register at https://covid'),
        (["msd-lung"], "Give the folder for the data set: covidseg data download msd-lung -o DIR."),
    ):
        assert cli.main(["data", "download", *arguments]) == cli.UNUSABLE
        assert message in capsys.readouterr().err
    monkeypatch.setattr(sources, "load_sources", lambda *path: {"tiny": source(served)})
    assert cli.main(["data", "download", "tiny", "-o", str(tmp_path)]) == cli.DONE
    output = capsys.readouterr().out
    assert output.index("licence: CC BY 4.0") < output.index(f"Downloaded: {tmp_path / 'scans'}")
