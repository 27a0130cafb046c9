"""The public data sets that are known, from sources.toml: whose they are, under which terms, and where they lie."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from ..errors import InputError

SOURCES = Path(__file__).with_name("sources.toml")


@dataclass(frozen=True)
class RemoteFile:
    """An archive, .zip or .tar, at an address.

    Attributes:
        url: Where.
        checksum: "md5:" or "sha256:" and hexadecimal digits, as its host publishes it; empty if it does not.
    """

    url: str
    checksum: str = ""

    @property
    def name(self) -> str:
        """Of the file."""
        return PurePosixPath(unquote(urlsplit(self.url).path)).name


@dataclass(frozen=True)
class Source:
    """A public data set.

    Attributes:
        name: By which it is downloaded.
        title: What it is.
        licence: The terms.
        citation: Whom to cite.
        page: Where people read about it.
        files: What is downloaded; none where people have to get it themselves.
        obtain: How they do.
    """

    name: str
    title: str
    licence: str
    citation: str
    page: str
    files: tuple[RemoteFile, ...] = ()
    obtain: str = ""


def load(path: Path = SOURCES) -> dict[str, Source]:
    """All data sets by name, in the order of the file."""
    held = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        name: Source(name, **{**entry, "files": tuple(RemoteFile(**file) for file in entry.get("files", ()))})
        for name, entry in held.items()
    }


def known_source(name: str, path: Path = SOURCES) -> Source:
    """Return a data set by name, whether or not it can be downloaded.

    Raises:
        InputError: There is no data set of that name.
    """
    known = load(path)
    if name not in known:
        raise InputError(f'There is no data set "{name}"; there are: {", ".join(known)}.')
    return known[name]


def find(name: str, path: Path = SOURCES) -> Source:
    """One that can be downloaded.

    Raises:
        InputError: There is none of that name, or people have to get it themselves; says where.
    """
    source = known_source(name, path)
    if not source.files:
        raise InputError(f"“{name}” has to be got by hand: {source.obtain}")
    return source


def describe(source: Source) -> str:
    """A few lines for a person."""
    lines = [f"{source.name}: {source.title}", f"    licence: {source.licence}", f"    cite: {source.citation}"]
    how = ", ".join(file.name for file in source.files) if source.files else f"by hand: {source.obtain}"
    return "\n".join([*lines, f"    page: {source.page}", f"    files: {how}"])
