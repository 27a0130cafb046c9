"""The notebooks in examples/ run from beginning to end, and are stored without outputs."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))

notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
#: Their networks are trained for minutes.
SLOW = {"train_and_compare"}
to_run = [pytest.param(path, marks=[pytest.mark.slow] * (path.stem in SLOW), id=path.stem) for path in NOTEBOOKS]


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) == 2


@notebooks
def test_notebook_is_stored_without_outputs(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert path.stat().st_size < 20_000


@pytest.mark.parametrize("path", to_run)
def test_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [part for cell in notebook.cells for part in with_check(cell)]
    (folder := tmp_path / "work").mkdir()
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()


def with_check(cell: NotebookNode) -> list[NotebookNode]:
    """Return the cell, followed by a check of the exit code if it runs a command in the shell."""
    if cell.cell_type == "code" and cell.source.startswith("!"):
        return [cell, new_code_cell("assert _exit_code == 0")]
    return [cell]
