"""A DICOM node that receives CTs into a folder (C-STORE service class provider, PS3.4, annex B)."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, evt
from pynetdicom.transport import ThreadedAssociationServer

from ..errors import InputError
from .tls import TlsFiles

CT_CLASSES = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1")
VERIFICATION = "1.2.840.10008.1.1"
#: Answers to C-STORE (PS3.4, table B.2-1).
STORED, NO_ROOM, NOT_UNDERSTOOD = 0x0000, 0xA700, 0xC000
#: Below this nothing is accepted any more.
ROOM_MB = 500
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class NodeSettings:
    """How a node listens.

    Attributes:
        title: Its AE title.
        host: Address of the network interface.
        port: TCP port; 0 for any.
        allowed: AE titles that may connect.
        tls: Certificate and key for encrypted connections; None for connections that are not encrypted.
        timeout: Seconds after which a silent connection is closed.
    """

    title: str
    host: str
    port: int
    allowed: Sequence[str]
    tls: TlsFiles | None = None
    timeout: float = 60.0


class ReceivingNode:
    """Receives CT images into one folder for each series.

    Every image is on the disk before the sender is told that it is stored.

    Args:
        folder: Where to. Each series gets a subfolder, whose name is derived from its UID and says nothing about it.
        settings: How to listen.
        on_error: Receives a sentence if an image could not be stored.
    """

    def __init__(self, folder: Path, settings: NodeSettings, on_error: Callable[[str], None] = lambda sentence: None):
        self.folder = folder
        self.settings = settings
        self._on_error = on_error
        self._lock = threading.Lock()
        self._server: ThreadedAssociationServer | None = None

    @property
    def port(self) -> int:
        """The port on which it listens."""
        assert self._server is not None
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to listen, in threads of its own.

        Raises:
            InputError: The port is in use, or the certificate cannot be used.
        """
        settings = self.settings
        entity = AE(settings.title)
        entity.require_called_aet = True
        entity.require_calling_aet = list(settings.allowed)
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = settings.timeout
        for sop_class in CT_CLASSES:
            entity.add_supported_context(sop_class, ALL_TRANSFER_SYNTAXES)
        entity.add_supported_context(VERIFICATION)
        try:
            self._server = entity.start_server(
                (settings.host, settings.port),
                block=False,
                ssl_context=settings.tls.server_context() if settings.tls else None,
                evt_handlers=[(evt.EVT_C_STORE, self._store)],
            )
        except OSError as error:
            raise InputError(
                f"The node cannot listen on {settings.host}, port {settings.port} ({error.strerror or error}). Choose "
                "another port with --port, or another --host."
            ) from error

    def stop(self) -> None:
        """Stop to listen, and close all connections."""
        if self._server is not None:
            self._server.shutdown()

    def complete_series(self, seconds: float) -> list[Path]:
        """Return the folders of series to which nothing was added for some seconds."""
        if not self.folder.is_dir():
            return []
        limit = time.time() - seconds
        folders = sorted(path for path in self.folder.iterdir() if path.is_dir())
        return [folder for folder in folders if any(folder.glob("*.dcm")) and _newest(folder) <= limit]

    def take(self, folder: Path, target: Path) -> None:
        """Move the images of a series to another folder on the same disk, which may exist."""
        with self._lock:  # no image arrives meanwhile
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                folder.rename(target)
                return
            for path in folder.glob("*.dcm"):
                path.replace(target / path.name)
            shutil.rmtree(folder, ignore_errors=True)

    def _store(self, event: evt.Event) -> int:
        try:
            data = event.dataset
            series, instance = str(data.SeriesInstanceUID), str(data.SOPInstanceUID)
            content = event.encoded_dataset(include_meta=True)
        except Exception:  # pydicom raises errors of many kinds for data that are not DICOM
            _LOGGER.debug("an object cannot be read", exc_info=True)
            self._on_error("An object without UIDs was refused.")
            return NOT_UNDERSTOOD
        try:
            self._write(self.folder / digest(series), f"{digest(instance)}.dcm", content)
        except OSError as error:
            self._on_error(f"An image could not be stored ({error.strerror or error}). The sender was told.")
            return NO_ROOM
        return STORED

    def _write(self, folder: Path, name: str, content: bytes) -> None:
        """Write a file so that it survives a power failure, under its name only when it is complete."""
        with self._lock:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if shutil.disk_usage(folder).free < ROOM_MB * 1_000_000:
                raise OSError(28, "the disk is full")
            temporary = folder / f"{name}.new"
            try:
                with temporary.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(folder / name)
            finally:
                temporary.unlink(missing_ok=True)


def digest(uid: str) -> str:
    """Return a file name for a UID."""
    return hashlib.sha256(uid.encode("utf-8", "replace")).hexdigest()[:32]


def _newest(folder: Path) -> float:
    return max(path.stat().st_mtime for path in (folder, *folder.glob("*.dcm")))
