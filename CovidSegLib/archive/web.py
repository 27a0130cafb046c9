"""Connections to an archive by DICOMweb (PS3.18)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
from dicomweb_client.api import DICOMwebClient

from ..errors import InputError
from .errors import ArchiveError

#: Environment variables with secrets, which must not be in the arguments, because everybody can list those.
PASSWORD, TOKEN = "COVIDSEG_DICOMWEB_PASSWORD", "COVIDSEG_DICOMWEB_TOKEN"
_REFUSED = {
    401: "it does not accept the user or the password",
    403: "the user may not do this",
    404: "there is no such address or object",
    409: "it did not store the object",
    413: "the object is too large for it",
    415: "it does not take objects of this kind",
    507: "it has no room",
}


@dataclass(frozen=True)
class WebArchive:
    """An archive that speaks DICOMweb.

    Attributes:
        url: Its address, such as "https://pacs/dicom-web".
        user: Name of the user, whose password is in the environment; None if there is none.
        timeout: Seconds to wait for an answer.
        authorities: Certificates that are trusted, in PEM format; those of the system if None.
    """

    url: str
    user: str | None = None
    timeout: float = 30.0
    authorities: Path | None = None

    def __str__(self) -> str:
        return self.url

    def client(self) -> DICOMwebClient:
        """Return a client.

        Raises:
            InputError: The address is not one of a web server, or the password is missing.
        """
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(
                f'"{self.url}" is not the address of a DICOMweb archive. It begins with https:// or http://.'
            )
        if parts.username or parts.password:
            raise InputError(f"Do not put a password into the address. Give --user, and set {PASSWORD}.")
        session = requests.Session()
        session.trust_env = False  # proxies and .netrc must not see patients
        if self.authorities is not None:
            if not self.authorities.is_file():
                raise InputError(f'There is no file "{self.authorities}". Give a file with certificates in PEM format.')
            session.verify = str(self.authorities)
        if self.user is not None:
            if PASSWORD not in os.environ:
                raise InputError(f'Set the environment variable {PASSWORD} to the password of "{self.user}".')
            session.auth = (self.user, os.environ[PASSWORD])
        elif TOKEN in os.environ:
            session.headers["Authorization"] = f"Bearer {os.environ[TOKEN]}"
        client = DICOMwebClient(self.url.rstrip("/"), session=session, timeout=self.timeout)
        client.set_http_retry_params(retry=False)
        return client


@contextmanager
def explained(archive: WebArchive) -> Iterator[None]:
    """Turn errors of requests into sentences.

    Raises:
        ArchiveError: The archive does not answer, refuses, or goes away.
    """
    try:
        yield
    except requests.exceptions.SSLError as error:
        raise ArchiveError(
            f'The certificate of "{archive}" is not trusted. Name its authority with --tls-ca, or ask its '
            "administrator."
        ) from error
    except requests.exceptions.Timeout as error:
        raise ArchiveError(f'"{archive}" does not answer within {archive.timeout:g} seconds.') from error
    except requests.exceptions.HTTPError as error:
        code = error.response.status_code if error.response is not None else 0
        reason = _REFUSED.get(code, "it has failed" if code >= 500 else "it gives no reason that CovidSeg knows")
        raise ArchiveError(f'"{archive}" refuses the request: {reason} (HTTP {code}).') from error
    except requests.exceptions.RequestException as error:
        raise ArchiveError(f'"{archive}" does not answer, or went away. Check address and network.') from error
