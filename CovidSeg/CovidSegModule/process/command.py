"""The command line and the environment of the child process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import slicer

import CovidSegLib
from CovidSegLib.programs import absolute_folders, find_program


def python_executable() -> str:
    """Return the path of Slicer's own PythonSlicer, or of the running interpreter outside Slicer.

    A PythonSlicer in a folder on PATH may belong to another version of Slicer, so it is the last choice.
    """
    home = getattr(getattr(slicer, "app", None), "slicerHome", "")
    own = [Path(home) / "bin"] if home else []
    return find_program("PythonSlicer", [*own, Path(sys.executable).parent]) or sys.executable


def segment_command(program: list[str], ct: str, output: str, model: str, device: str) -> list[str]:
    """Return the command that segments a CT into a folder.

    The paths are relative to the folder in which the command is started. They are therefore ASCII whatever the name of
    the user is. On Windows, some libraries cannot open other paths.

    Args:
        program: The interpreter and what it runs; in Slicer `[python_executable(), "-m", "CovidSegLib"]`.
        ct: File of the CT.
        output: Folder for the results.
        model: Name of an installed model; empty for the default model.
        device: "auto", "cuda" or "cpu".
    """
    command = [*program, "segment", ct, "--output", output, "--progress", "json", "--device", device]
    if model:
        command += ["--model", model]
    # Computing the surfaces in Slicer would block it. Label map and overview are not needed there.
    return [*command, "--surfaces", "segments", "--skip", "labels", "--skip", "overview"]


def report_command(program: list[str], result: str, ct: str, review: str, output: str) -> list[str]:
    """Return the command that writes a report and the viewer. Paths are relative, see `segment_command`.

    Args:
        program: The interpreter and what it runs.
        result: Folder with the masks.
        ct: File of the CT.
        review: File with what a person did.
        output: Folder for the report.
    """
    return [*program, "report", result, ct, "--review", review, "--output", output, "--viewer", "--progress", "json"]


def environment(folder: Path) -> dict[str, str]:
    """Return environment variables with which a child process finds CovidSegLib and writes UTF-8.

    Python does not look for modules in the working directory, nor beside a script that it runs: a file `argparse.py`
    there would be run in place of Python's own.

    Args:
        folder: Folder for temporary files of the child process.
    """
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONSTARTUP", "PYTHONINSPECT")}
    library = str(Path(CovidSegLib.__file__).parents[1])
    variables["PYTHONPATH"] = os.pathsep.join((library, *absolute_folders(variables.get("PYTHONPATH", ""))))
    variables.update(PYTHONUTF8="1", PYTHONUNBUFFERED="1", PYTHONNOUSERSITE="1", PYTHONSAFEPATH="1")
    variables.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder)))
    return variables


def follow_up_command(
    program: list[str],
    scans: tuple[str, str],
    results: tuple[str, str],
    output: str,
    days: int | None,
    earlier: list[str],
) -> list[str]:
    """Return the command that compares two CTs. Paths are relative, see `segment_command`.

    Args:
        program: The interpreter and what it runs.
        scans: Files of the current and of the earlier CT.
        results: Folders with their masks.
        output: Folder for the comparison.
        days: Days between the CTs; None if they are not known.
        earlier: Reports of earlier comparisons of the same patient.
    """
    command = [*program, "follow-up", *scans, "--output", output, "--progress", "json", "--skip", "trend"]
    command += ["--current-result", results[0], "--prior-result", results[1]]
    if days is not None:
        command += ["--days", str(days)]
    for report in earlier:
        command += ["--earlier", report]
    return command


def export_command(
    program: list[str], result: str, source: str, output: str, prior: tuple[str, str] | None = None
) -> list[str]:
    """Return the command that exports a result as DICOM. Paths are relative, see `segment_command`.

    Args:
        program: The interpreter and what it runs.
        result: Folder with the masks.
        source: File that lists the DICOM files of the CT.
        output: Folder for the DICOM objects.
        prior: The same two of an earlier CT whose lesions keep their identifiers, or None.
    """
    command = [*program, "dicom", "export", result, "--source", source, "--output", output, "--progress", "json"]
    return [*command, "--prior", prior[0], "--prior-source", prior[1]] if prior else command
