"""Send objects to a DICOM node (C-STORE, PS3.4, annex B)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pydicom
from pydicom.uid import UID
from pynetdicom import AE
from pynetdicom.association import Association

from .address import Address
from .errors import ArchiveError
from .files import Outgoing
from .tls import TlsFiles

OWN_TITLE = "COVIDSEG"
#: An association has an odd number below 256 for each kind of object.
MOST_CONTEXTS = 128
#: Reasons why an association is rejected, by source and reason (PS3.8, table 9-21).
_REJECTED: dict[tuple[int | None, int | None], str] = {
    (1, 3): 'it does not know the AE title "{own}"; add it there',
    (1, 7): 'it has another AE title than "{title}"',
    (3, 1): "it is busy",
    (3, 2): "too many connections are open",
}


@dataclass(frozen=True)
class StoreDestination:
    """A node that stores objects.

    Attributes:
        address: Where it listens.
        own_title: AE title with which to call it.
        timeout: Seconds to wait for an answer.
        tls: How to encrypt the connection; None for a connection that is not encrypted.
    """

    address: Address
    own_title: str = OWN_TITLE
    timeout: float = 30.0
    tls: TlsFiles | None = None

    def __str__(self) -> str:
        return str(self.address)

    def send(self, files: Sequence[Outgoing], sent: Callable[[Outgoing], None]) -> None:
        """Send files, in one association.

        Args:
            files: The files.
            sent: Called for each file that the node has stored.

        Raises:
            ArchiveError: The node does not answer, refuses, or goes away. Files for which `sent` was called are stored.
            InputError: The TLS files cannot be used.
        """
        with self._associated(files) as association:
            for file in files:
                self._send(association, file)
                sent(file)

    def echo(self) -> None:
        """Check that the node answers (C-ECHO).

        Raises:
            ArchiveError: It does not answer, or refuses.
        """
        with self._associated([]) as association:
            status = association.send_c_echo()
            if not status or status.Status != 0:
                raise ArchiveError(f'"{self.address}" does not answer the request. Ask its administrator.')

    @contextmanager
    def _associated(self, files: Sequence[Outgoing]) -> Iterator[Association]:
        entity = AE(self.own_title)
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = self.timeout
        entity.connection_timeout = self.timeout
        kinds = dict.fromkeys((file.sop_class, file.transfer_syntax) for file in files)
        for sop_class, syntax in list(kinds)[: MOST_CONTEXTS - 1]:
            entity.add_requested_context(sop_class, syntax)
        entity.add_requested_context("1.2.840.10008.1.1")
        context = (self.tls.client_context(), self.address.host) if self.tls else None
        association = entity.associate(
            self.address.host, self.address.port, ae_title=self.address.title, tls_args=context
        )
        if not association.is_established:
            raise ArchiveError(self._not_established(association))
        try:
            yield association
        finally:
            if association.is_established:
                association.release()

    def _not_established(self, association: Association) -> str:
        if association.is_rejected:
            primitive = association.acceptor.primitive
            key = (primitive.result_source, primitive.diagnostic) if primitive else (None, None)
            reason = _REJECTED.get(key, "it gives no reason that CovidSeg knows")
            reason = reason.format(own=self.own_title, title=self.address.title)
            return f'"{self.address}" refuses the connection: {reason}.'
        encrypted = " Check whether it expects encrypted connections." if self.tls is None else ""
        if self.tls:
            encrypted = " Check that it expects encrypted connections, and that its certificate is trusted."
        return f'"{self.address}" does not answer. Check host, port and network.{encrypted}'

    def _send(self, association: Association, file: Outgoing) -> None:
        accepted = {(context.abstract_syntax, context.transfer_syntax[0]) for context in association.accepted_contexts}
        name = UID(file.sop_class).name
        if (file.sop_class, file.transfer_syntax) not in accepted:
            raise ArchiveError(
                f'"{self.address}" does not take objects of the kind {name}. Ask its administrator to allow them.'
            )
        if not association.is_established:
            raise ArchiveError(f'"{self.address}" has closed the connection.')
        status = association.send_c_store(pydicom.dcmread(file.path))
        code = status.get("Status")
        if code is None:
            raise ArchiveError(f'"{self.address}" went away while it received objects, or took too long.')
        if code != 0 and not 0xB000 <= code <= 0xBFFF:
            reason = "it has no room" if 0xA700 <= code <= 0xA7FF else f"status {code:04X}"
            comment = f", {status.ErrorComment}" if status.get("ErrorComment") else ""
            raise ArchiveError(f'"{self.address}" did not store an object of the kind {name} ({reason}{comment}).')
