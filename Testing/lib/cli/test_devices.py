"""`covidseg devices`."""

from __future__ import annotations

import json

import pytest
import torch

from CovidSegLib.cli.main import DONE, main
from CovidSegLib.inference import available


def test_the_cpu_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices", "--json"]) == DONE
    devices = json.loads(capsys.readouterr().out)
    assert devices[-1]["device"] == "cpu"
    assert "cores" in devices[-1]["name"]


def test_gpus_come_first_with_their_memory(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(available, "torch_may_find_gpu", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (6 << 30, 8 << 30))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "NVIDIA RTX")
    assert main(["devices"]) == DONE
    rows = capsys.readouterr().out.splitlines()
    assert rows[1].split("  ")[0] == "cuda:0"
    assert "6.0 GB" in rows[1] and "NVIDIA RTX" in rows[1]
    assert rows[2].startswith("cpu")
