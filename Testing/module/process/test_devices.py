"""Asking the child process for devices."""

import subprocess
import sys

import pytest

from CovidSegModule.process.devices import list_devices


def test_the_library_lists_its_devices(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)  # another test may have loaded it
    devices = list_devices([sys.executable, "-m", "CovidSegLib"])
    assert devices[-1].device == "cpu"
    assert not devices[-1].is_gpu
    assert "torch" not in sys.modules


def test_a_damaged_torch_is_an_error():
    with pytest.raises(subprocess.CalledProcessError):
        list_devices([sys.executable, "-c", "raise ImportError('torch')"])
