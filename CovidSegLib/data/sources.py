"""Public data sets, from sources.toml: their licence, citation and addresses."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from ..errors import InputError

SOURCES = Path(__file__).with_name("sources.toml")


@dataclass(frozen=True)
class RemoteFile:
    """An archive (.zip or .tar) to download.

    Attributes:
        url: Its address.
        checksum: "md5:" or "sha256:" and hexadecimal digits, as its host publishes it; empty if it does not.
    """

    url: str
    checksum: str = ""

    @property
    def name(self) -> str:
        """Name of the file."""
        return PurePosixPath(unquote(urlsplit(self.url).path)).name


@dataclass(frozen=True)
class Source:
    """A public data set.

    Attributes:
        name: Name for `covidseg data download`.
        title: What it contains.
        licence: Its licence.
        citation: The publication to cite.
        page: Address of its web page.
        files: The files to download; empty if users have to obtain them themselves.
        obtain: How users obtain it.
    """

    name: str
    title: str
    licence: str
    citation: str
    page: str
    files: tuple[RemoteFile, ...] = ()
    obtain: str = ""


def load_sources(path: Path = SOURCES) -> dict[str, Source]:
    """Return all data sets by name, in the order of the file."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        name: Source(name, **{**entry, "files": tuple(RemoteFile(**file) for file in entry.get("files", ()))})
        for name, entry in table.items()
    }


def known_source(name: str, path: Path = SOURCES) -> Source:
    """Return a data set by name, whether or not it can be downloaded.

    Raises:
        InputError: There is no data set of that name.
    """
    sources = load_sources(path)
    if name not in sources:
        raise InputError(f'There is no data set "{name}". Data sets: {", ".join(sources)}.')
    return sources[name]


def find_source(name: str, path: Path = SOURCES) -> Source:
    """Return a data set that can be downloaded.

    Raises:
        InputError: There is no such data set, or users have to obtain it themselves; the message tells how.
    """
    source = known_source(name, path)
    if not source.files:
        raise InputError(f'"{name}" has to be obtained by hand: {source.obtain}')
    return source


def describe_source(source: Source) -> str:
    """Return a few lines of text about a data set."""
    lines = [f"{source.name}: {source.title}", f"    licence: {source.licence}", f"    cite: {source.citation}"]
    how = ", ".join(file.name for file in source.files) if source.files else f"by hand: {source.obtain}"
    return "\n".join([*lines, f"    page: {source.page}", f"    files: {how}"])
