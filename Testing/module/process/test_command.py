"""The command line and the environment of the child process."""

import json
import os
import subprocess
import sys

import slicer

from CovidSegModule.process.command import environment, python_executable, segment_command


def test_the_command():
    command = segment_command(["python", "-m", "CovidSegLib"], "ct.nrrd", "out", "x", "cuda")
    expected = "segment ct.nrrd --output out --progress json --device cuda --model x --surfaces segments"
    assert command == ["python", "-m", "CovidSegLib", *expected.split(), "--skip", "labels", "--skip", "overview"]


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


def test_slicers_own_python_is_preferred(tmp_path, monkeypatch):
    """Another Slicer, or anybody who can write into a folder on PATH, does not choose the interpreter."""
    for folder in ("own/bin", "path", "working"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "PythonSlicer").touch(mode=0o755)
    monkeypatch.chdir(tmp_path / "working")
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "path"), ".", ""]))
    monkeypatch.setattr(slicer.app, "slicerHome", str(tmp_path / "own"), raising=False)
    assert python_executable() == str(tmp_path / "own/bin/PythonSlicer")
    (tmp_path / "own/bin/PythonSlicer").unlink()
    assert python_executable() == str(tmp_path / "path/PythonSlicer")
    (tmp_path / "path/PythonSlicer").unlink()
    assert python_executable() == sys.executable


def test_modules_in_the_working_folder_are_not_run(tmp_path, monkeypatch):
    (tmp_path / "argparse.py").write_text("import os; os._exit(99)")
    (tmp_path / "CovidSegLib").mkdir()
    (tmp_path / "CovidSegLib" / "__main__.py").write_text("import os; os._exit(98)")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([".", ""]))
    command = [sys.executable, "-m", "CovidSegLib", "--version"]
    output = subprocess.run(command, env=environment(tmp_path), capture_output=True, cwd=tmp_path, check=False)
    assert output.returncode == 0, output.stderr
