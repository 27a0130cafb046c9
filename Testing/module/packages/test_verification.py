"""Trying out packages in a child process."""

import sys

from CovidSegModule.packages.verification import import_problems


def test_packages_are_imported_in_a_child_process(tmp_path, monkeypatch):
    (tmp_path / "half_installed.py").write_text("raise OSError('[WinError 126] module not found')")
    (tmp_path / "crashes.py").write_text("import os; os._exit(3)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    waited = []
    problems = import_problems(["json", "half_installed", "not_there", "crashes"], lambda: waited.append(1))
    assert waited
    assert list(problems) == ["half_installed", "not_there", "crashes"]
    assert "WinError 126" in problems["half_installed"]
    assert "exit code 3" in problems["crashes"]
    assert "half_installed" not in sys.modules


def test_modules_in_the_working_folder_are_not_run(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("import os; os._exit(99)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", ".")
    assert import_problems(["email"], lambda: None) == {}
