"""Encrypted connections by TLS (PS3.15, section B.9): who is trusted, and who we are."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError


@dataclass(frozen=True)
class TlsFiles:
    """Files in PEM format.

    Attributes:
        certificate: Our certificate; a client may have none.
        key: Its private key.
        authorities: Certificates of the authorities that are trusted; those of the system if None. For a server: if
            given, clients must have a certificate of one of them.
    """

    certificate: Path | None = None
    key: Path | None = None
    authorities: Path | None = None

    def client_context(self) -> ssl.SSLContext:
        """Return how to connect to a server. Its certificate and its name are verified.

        Raises:
            InputError: A file cannot be used.
        """
        context = self._context(ssl.PROTOCOL_TLS_CLIENT)
        if self.authorities is None:
            context.load_default_certs()
        return context

    def server_context(self) -> ssl.SSLContext:
        """Return how to accept connections.

        Raises:
            InputError: A file cannot be used, or there is no certificate.
        """
        if self.certificate is None:
            raise InputError("A server needs a certificate for encrypted connections. Give --tls-cert and --tls-key.")
        context = self._context(ssl.PROTOCOL_TLS_SERVER)
        if self.authorities is not None:
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _context(self, protocol: int) -> ssl.SSLContext:
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
            if self.authorities is not None:
                context.load_verify_locations(self.authorities)
        except (OSError, ssl.SSLError) as error:
            raise InputError(
                f"The certificate, its key or the authorities cannot be read ({error}). Name files in PEM format."
            ) from error
        return context
