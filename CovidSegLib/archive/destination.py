"""Where objects are sent, and how often it is tried."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from ..errors import InputError
from .address import Address
from .errors import ArchiveError
from .files import Outgoing
from .store import StoreDestination
from .stow import StowDestination
from .tls import TlsFiles
from .web import WebArchive

#: Attempts before objects are put into the queue, and seconds before the second one; later pauses are twice as long.
ATTEMPTS, PAUSE_SECONDS = 3, 2.0


class Destination(Protocol):
    """What objects can be sent to: a node, or an archive by DICOMweb. `str` is its address."""

    def send(self, files: Sequence[Outgoing], sent: Callable[[Outgoing], None]) -> None:
        """Send files.

        Args:
            files: The files.
            sent: Called for each file that is stored there.

        Raises:
            ArchiveError: Not all files were stored.
        """


def send_with_retries(
    destination: Destination,
    files: Sequence[Outgoing],
    *,
    attempts: int = ATTEMPTS,
    pause: float = PAUSE_SECONDS,
    sent: Callable[[Outgoing], None] = lambda file: None,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[list[Outgoing], ArchiveError | None]:
    """Send files, and try again if that fails. What is stored is not sent again.

    Args:
        destination: Where to.
        files: The files.
        attempts: How often to try.
        pause: Seconds before the second attempt. Later pauses are twice as long each time.
        sent: Called for each file that is stored.
        sleep: Waits.

    Returns:
        The files that were not sent, and why; an empty list and None if all were.
    """
    remaining = list(files)

    def note(file: Outgoing) -> None:
        remaining.remove(file)
        sent(file)

    failure = None
    for attempt in range(attempts):
        if attempt:
            sleep(pause * 2 ** (attempt - 1))
        try:
            destination.send(list(remaining), note)
            return [], None
        except ArchiveError as error:
            failure = error
    return remaining, failure


def as_record(destination: Destination) -> dict[str, Any]:
    """Return a destination as JSON values, without secrets."""
    if isinstance(destination, StowDestination):
        archive = destination.archive
        record = {"stow": archive.url, "user": archive.user, "timeout": archive.timeout}
        return record | {"authorities": _text(archive.authorities)}
    if isinstance(destination, StoreDestination):
        tls = destination.tls
        return {
            "store": str(destination.address),
            "own_title": destination.own_title,
            "timeout": destination.timeout,
            "tls": None
            if tls is None
            else {
                "certificate": _text(tls.certificate),
                "key": _text(tls.key),
                "authorities": _text(tls.authorities),
            },
        }
    raise TypeError(type(destination))


def from_record(record: Any) -> Destination:
    """Return the destination of a record.

    Raises:
        InputError: The record is damaged.
    """
    try:
        if "stow" in record:
            archive = WebArchive(record["stow"], record["user"], record["timeout"], _path(record["authorities"]))
            return StowDestination(archive)
        tls = record["tls"]
        files = None if tls is None else TlsFiles(*(_path(tls[key]) for key in ("certificate", "key", "authorities")))
        return StoreDestination(Address.parse(record["store"]), record["own_title"], record["timeout"], files)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError("An entry of the queue is damaged. Remove it, and send its objects again.") from error


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
