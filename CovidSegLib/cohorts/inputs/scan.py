"""A scan that was found among the inputs, and what identifies it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import InputError
from ...reading.image_file import FILE_KINDS, image_extension

#: Hexadecimal digits of an id that is made from an identity. Among 100,000 scans, two share one with a probability of
#: 3 in 10 thousand millions.
DIGITS = 16


@dataclass(frozen=True)
class Scan:
    """A scan that is to be segmented.

    Attributes:
        path: Image file, or folder with its DICOM series.
        identity: Two scans with the same identity are the same scan, wherever they lie: a digest of the series UID or
            of the content of the file. Of what cannot be read, a digest of the path.
        series: UID of the DICOM series, or None.
        choice: Why this series of its study was chosen, or None.
        id: The id that a list gives it, or None.
        extra: Further columns of the list.
    """

    path: Path
    identity: str
    series: str | None = None
    choice: str | None = None
    id: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def case_id(self) -> str:
        """The id of its case: that of the list, or the first digits of its identity, which name no patient."""
        return self.id or self.identity.partition(":")[2][:DIGITS]


def series_identity(series_uid: str) -> str:
    """Return the identity of a DICOM series."""
    return f"series:{hashlib.sha256(series_uid.encode()).hexdigest()}"


def path_identity(path: Path) -> str:
    """Return the identity of what cannot be read; that of another path is another one."""
    return f"path:{hashlib.sha256(str(path.resolve()).encode('utf-8', 'surrogateescape')).hexdigest()}"


def file_scan(path: Path) -> Scan:
    """Return the scan in an image file. It is read once, because only its content tells whether two are the same."""
    try:
        return Scan(path, f"file:{_digest(path)}")
    except (OSError, ValueError, InputError):  # the worker reads it in the usual way, which explains the reason
        return Scan(path, path_identity(path))


def _digest(path: Path) -> str:
    """Return the SHA-256 of an image: of its file, and of the data file that a detached header names."""
    files = [path]
    extension = image_extension(path)
    if extension in (".mhd", ".nhdr"):
        files.append(FILE_KINDS[extension].read_header(path).data)
    if not path.is_file():  # a pipe would be read for ever
        raise OSError
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()
