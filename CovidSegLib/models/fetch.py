"""Download a model from an address: over a connection that cannot be changed on its way, and of limited size."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urljoin, urlsplit

from ..errors import InputError
from ..storage.disk_errors import explain_disk_errors

if TYPE_CHECKING:
    import requests

#: Seconds without an answer after which a download fails.
TIMEOUT = 30
MOST_REDIRECTS = 5
CHUNK = 1 << 16


def name_in_address(address: str) -> str:
    """Return the name of the file at an address, without its extension."""
    return PurePosixPath(_split(address).path).stem


def fetch(address: str, file: Path, *, limit: int, plain_http: bool = False) -> None:
    """Download a file.

    Args:
        address: Its address.
        file: Where to write it.
        limit: Largest size in bytes; the download stops there.
        plain_http: Whether http is allowed, as the hash of the file is known. No redirect leads from https to http.

    Raises:
        InputError: The address cannot be used, or the file cannot be downloaded or is too large.
    """
    import requests
    from urllib3.exceptions import HTTPError

    allowed = ("https", "http") if plain_http else ("https",)
    try:
        with requests.Session() as session:
            current = address
            for _ in range(MOST_REDIRECTS + 1):
                scheme = _split(current).scheme
                if scheme not in allowed:
                    raise _insecure(address, current)
                if scheme == "https":
                    allowed = ("https",)
                # Compressed transfers are refused, because their size would not be known.
                with session.get(
                    current,
                    stream=True,
                    allow_redirects=False,
                    timeout=TIMEOUT,
                    headers={"Accept-Encoding": "identity"},
                ) as response:
                    if response.is_redirect:
                        current = urljoin(current, response.headers["Location"])
                        continue
                    response.raise_for_status()
                    _save(response, file, limit, address)
                    return
            raise InputError(f"{address} cannot be downloaded (too many redirects). Check the address.")
    except (requests.RequestException, HTTPError) as error:
        reason = getattr(getattr(error, "response", None), "reason", None) or type(error).__name__
        raise InputError(f"{address} cannot be downloaded ({reason}). Check the address and the connection.") from error
    except ValueError as error:  # of urllib.parse
        raise InputError(f"{address} leads to what is not a valid address ({error}). Check it.") from error


def _save(response: requests.Response, file: Path, limit: int, address: str) -> None:
    """Write the body of a response to a file, as it is transferred."""
    stated = response.headers.get("Content-Length", "")
    if stated.isdecimal() and int(stated) > limit:
        raise _too_large(address, limit)
    size = 0
    remedy = "Free some space in the folder for temporary files."
    with explain_disk_errors(file, if_full=remedy, only_known=True), file.open("wb") as out:
        for chunk in response.raw.stream(CHUNK, decode_content=False):
            size += len(chunk)
            if size > limit:
                raise _too_large(address, limit)
            out.write(chunk)
    if stated.isdecimal() and size < int(stated):
        raise InputError(f"{address} cannot be downloaded completely. Check the connection and try again.")


def _split(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError as error:
        raise InputError(f"{address} is not a valid address ({error}). Check it.") from error


def _insecure(address: str, target: str) -> InputError:
    via = "" if target == address else f" It leads on to {target}."
    return InputError(
        f"A download from {address} could be changed on its way.{via} Give an address that begins with https, or with "
        "http and the file's --sha256."
    )


def _too_large(address: str, limit: int) -> InputError:
    return InputError(f"The file at {address} is larger than {limit / 1e9:.1f} GB: too large for a model. Check it.")
