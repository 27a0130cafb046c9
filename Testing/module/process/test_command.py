"""The command line and the environment of the child process."""

import json
import os
import subprocess
import sys

import slicer

from CovidSegModule.process.command import environment, python_executable, segment_command


def test_the_command():
    command = segment_command(["python", "-m", "CovidSegLib"], "ct.nrrd", "out", "x", "cuda")
    expected = "segment ct.nrrd --output out --progress json --device cuda --model x"
    assert command == ["python", "-m", "CovidSegLib", *expected.split(), *["--skip", "surfaces", "--skip", "overview"]]


def test_the_child_finds_the_library_and_uses_its_own_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("PYTHONSTARTUP", "/somewhere/startup.py")
    variables = environment(tmp_path)
    assert variables["PYTHONPATH"].split(os.pathsep)[1] == "/somewhere"
    assert "PYTHONSTARTUP" not in variables
    code = "import json, tempfile, CovidSegLib; print(json.dumps([CovidSegLib.__name__, tempfile.gettempdir()]))"
    output = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, cwd="/", check=True)
    assert json.loads(output.stdout) == ["CovidSegLib", str(tmp_path)]


def test_pythonslicer_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert python_executable() == sys.executable
    program = tmp_path / "bin" / "PythonSlicer"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.setattr(slicer.app, "slicerHome", str(tmp_path), raising=False)
    assert python_executable() == str(program)
