"""Why nothing could be downloaded, in words for the user."""

import contextlib
import socket
import urllib.error

import pytest

from CovidSegModule.packages.diagnosis import network_problem


def failing(error):
    def open_url(url, timeout):
        raise error

    return open_url


def test_no_problem():
    assert network_problem(lambda url, timeout: contextlib.nullcontext()) == ""


@pytest.mark.parametrize(
    ("error", "proxy", "expected"),
    [
        (urllib.error.URLError(socket.gaierror(-2, "Name or service not known")), "", "internet cannot be reached"),
        (TimeoutError(), "", "internet cannot be reached"),
        (urllib.error.URLError(OSError("Tunnel connection failed: 407 Proxy")), "", "user name and password"),
        (urllib.error.HTTPError("", 407, "", {}, None), "", "user name and password"),
        (urllib.error.URLError("[SSL: CERTIFICATE_VERIFY_FAILED]"), "", "certificates"),
        (urllib.error.URLError(ConnectionRefusedError()), "http://proxy:3128", "proxy of this network does not answer"),
        (urllib.error.HTTPError("", 404, "", {}, None), "", ""),
    ],
)
def test_problems_are_named_with_a_way_out(monkeypatch, error, proxy, expected):
    monkeypatch.setattr("urllib.request.getproxies", lambda: {"https": proxy} if proxy else {})
    text = network_problem(failing(error))
    assert expected in text
    assert bool(text) == bool(expected)
    assert not text or "folder of packages" in text
