"""The layers of the library, as pyproject.toml names them under `tool.importlinter`."""

from __future__ import annotations

from pathlib import Path

import pytest
from importlinter import cli

ROOT = Path(__file__).parents[2]


def test_nothing_imports_from_a_layer_above_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Imports inside functions count too."""
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT))
    result = cli.lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert result == cli.EXIT_STATUS_SUCCESS, capsys.readouterr().out
