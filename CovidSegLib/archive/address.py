"""Addresses of DICOM nodes: AE title, host and port."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..errors import InputError

#: AE titles have up to 16 characters, no backslash and no control character (PS3.5, section 6.2).
_TITLE = re.compile(r"[ -\[\]-~]{1,16}")
_ADDRESS = re.compile(r"(?P<title>[^@]+)@(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]\s]+):(?P<port>\d{1,5})")


class Address(NamedTuple):
    """Where a DICOM node listens.

    Attributes:
        title: Its AE title.
        host: Name or IP address of the computer.
        port: TCP port.
    """

    title: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.title}@{host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Parse `TITLE@HOST:PORT`.

        Raises:
            InputError: The text has another form.

        >>> Address.parse("ORTHANC@127.0.0.1:4242").port
        4242
        """
        match = _ADDRESS.fullmatch(text.strip())
        if match is None or not 0 < int(match["port"]) < 65536:
            raise InputError(
                f'"{text}" is not the address of a DICOM node. Write TITLE@HOST:PORT, as in PACS@pacs:104.'
            )
        return cls(checked_title(match["title"]), match["host"].strip("[]"), int(match["port"]))


def checked_title(text: str) -> str:
    """Return an AE title without spaces around it.

    Raises:
        InputError: It is not an AE title.
    """
    if not _TITLE.fullmatch(text.strip()):
        raise InputError(f'"{text}" is not an AE title. AE titles have 1 to 16 characters, without a backslash.')
    return text.strip()
