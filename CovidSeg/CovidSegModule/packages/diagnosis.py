"""Find out why nothing could be downloaded, in words for the user."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from slicer.i18n import tr as _

#: The page that pip asks first. Nothing is sent there.
PACKAGE_INDEX = "https://pypi.org/simple/safetensors/"
TIMEOUT_SECONDS = 5.0


def network_problem(open_url: Callable[..., Any] = urllib.request.urlopen) -> str:
    """Try to reach the index of Python packages, as pip does, with the proxy of the environment.

    Args:
        open_url: Opens a URL.

    Returns:
        What is wrong and what to do; empty if the index can be reached.
    """
    proxy = urllib.request.getproxies().get("https", "")
    try:
        with open_url(PACKAGE_INDEX, timeout=TIMEOUT_SECONDS):
            return ""
    except urllib.error.HTTPError as error:
        if error.code == 407:
            return _proxy_wants_password()
        return "" if error.code < 500 else _no_network()
    except (urllib.error.URLError, OSError) as error:
        reason = str(getattr(error, "reason", error))
        if "407" in reason:
            return _proxy_wants_password()
        if "CERTIFICATE" in reason.upper():
            return _(
                "The network replaces certificates, so that packages cannot be downloaded safely. Ask your IT "
                "department how pip is set up here, or install from a folder of packages."
            )
        if proxy and not isinstance(getattr(error, "reason", None), socket.gaierror):
            return _(
                "The proxy of this network does not answer. Check the environment variable HTTPS_PROXY, or install "
                "from a folder of packages."
            )
        return _no_network()


def _no_network() -> str:
    return _(
        "The internet cannot be reached. Check the connection. If this computer needs a proxy, set the environment "
        "variable HTTPS_PROXY before you start Slicer, or install from a folder of packages."
    )


def _proxy_wants_password() -> str:
    return _(
        "The proxy of this network asks for a user name and password. Put them into the environment variable "
        "HTTPS_PROXY (http://USER:PASSWORD@PROXY:PORT) and restart Slicer, or install from a folder of packages."
    )
