"""`covidseg`: exit codes, one sentence for each error, and a help that appears at once."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from support.command_line import TIMEOUT, events, start
from support.grids import chest
from support.phantoms import UPPER, phantom_on

from CovidSegLib import models, pipeline
from CovidSegLib.cli.main import CANCELLED, COMMANDS, DONE, FAILED, UNUSABLE, main
from CovidSegLib.errors import Cancelled
from CovidSegLib.outputs import FILES
from CovidSegLib.segmentation import Segmentation


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "new" / "out"


@pytest.fixture(scope="module")
def ct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ct") / "ct.nii.gz"
    sitk.WriteImage(phantom_on(UPPER).volume.to_image(), str(path))
    return path


@pytest.fixture
def error_of(out: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs `covidseg segment`, which must fail with an exit code; returns the sentence on standard error."""

    def run(code: int, *arguments: object) -> str:
        assert main(["segment", *map(str, arguments), "-o", str(out)]) == code
        printed, errors = capsys.readouterr()
        assert printed == ""
        assert not out.parent.exists()
        assert "Traceback" not in errors
        assert errors.count("\n") == 1
        assert errors.endswith(".\n")
        return errors.strip()

    return run


# Exit code 2


def test_either_a_path_or_the_demo_is_required(error_of: Callable[..., str], ct: Path) -> None:
    assert error_of(UNUSABLE) == error_of(UNUSABLE, ct, "--demo") == "Give either the path of a CT or --demo."


def test_unusable_input_is_reported(error_of: Callable[..., str], ct: Path, tmp_path: Path) -> None:
    assert "There is no file or folder" in error_of(UNUSABLE, tmp_path / "none.nii.gz")
    (tmp_path / "empty").mkdir()
    assert "contains no DICOM images" in error_of(UNUSABLE, tmp_path / "empty")
    (tmp_path / "cut.nii.gz").write_bytes(ct.read_bytes()[:50_000])
    assert "cut.nii.gz" in error_of(UNUSABLE, tmp_path / "cut.nii.gz")
    (tmp_path / "letter.txt").write_text("Dear colleague")
    assert "is not a supported CT file" in error_of(UNUSABLE, tmp_path / "letter.txt")
    assert "series can be chosen only in a DICOM folder" in error_of(UNUSABLE, ct, "--series", "1")
    assert "cannot be read" in error_of(UNUSABLE, tmp_path / ("x" * 300))


def test_an_invalid_window_is_reported(error_of: Callable[..., str], tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (4, 8, 8)).astype(np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(grey), str(tmp_path / "grey.nii.gz"))
    assert "--window LOW HIGH" in error_of(UNUSABLE, tmp_path / "grey.nii.gz")
    error_of(UNUSABLE, tmp_path / "grey.nii.gz", "--window", "400", "-1000")


def test_an_unknown_model_or_device_is_reported(
    error_of: Callable[..., str], ct: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 'no model "best"' in error_of(UNUSABLE, ct, "--model", "best")
    assert 'no device "gpu"' in error_of(UNUSABLE, ct, "--device", "gpu")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert "No GPU that PyTorch can use" in error_of(UNUSABLE, ct, "--device", "cuda")


@pytest.mark.parametrize(
    "arguments",
    [
        ("segment",),
        ("segment", "ct", "-o", "out", "--threshold", "1.5"),
        ("segment", "ct", "-o", "out", "--threshold", "nan"),
        ("segment", "ct", "-o", "out", "--skip", "report"),
        ("segment", "ct", "-o", "out", "--progress", "xml"),
        ("train",),
        ("data",),
        ("recipes", "--resolved"),
        ("recipes", "show"),
    ],
)
def test_invalid_arguments_end_with_exit_code_2(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == UNUSABLE


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of a copy of the default model, which replaces it."""
    folder = tmp_path / "models" / models.DEFAULT
    shutil.copytree(models.find_model().folder, folder)
    monkeypatch.setattr(models.folders, "WEIGHTS", folder.parent)
    return folder


def test_modified_weights_are_refused(error_of: Callable[..., str], ct: Path, model: Path) -> None:
    weights = bytearray((model / "model.safetensors").read_bytes())
    weights[len(weights) // 2] ^= 1
    (model / "model.safetensors").write_bytes(weights)
    assert "SHA-256" in error_of(UNUSABLE, ct)


def test_missing_weights_and_damaged_cards_are_reported(error_of: Callable[..., str], ct: Path, model: Path) -> None:
    (model / "model.safetensors").unlink()
    assert "are missing" in error_of(UNUSABLE, ct)
    card = json.loads((model / "card.json").read_text())
    del card["recipe"]
    (model / "card.json").write_text(json.dumps(card))
    assert 'lacks "recipe"' in error_of(UNUSABLE, ct)
    (model / "card.json").write_text("{")
    assert "cannot be read" in error_of(UNUSABLE, ct)


def test_earlier_results_are_replaced_with_overwrite_only(
    tmp_path: Path, ct: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / FILES["report"]).write_text("earlier")
    (out / "notes.txt").write_text("mine")
    arguments = ["segment", str(ct), "-o", str(out), "--skip", "overview", "--skip", "surfaces"]
    assert main(arguments) == UNUSABLE
    assert "already holds results" in capsys.readouterr().err
    assert (out / FILES["report"]).read_text() == "earlier"
    monkeypatch.setattr(pipeline, "segment", instant)
    assert main([*arguments, "--overwrite"]) == DONE
    assert json.loads((out / FILES["report"]).read_text())["schema"]
    assert (out / "notes.txt").read_text() == "mine"
    assert not (out / FILES["overview"]).exists()


def test_an_output_folder_that_cannot_be_written_is_reported_before_the_ct_is_read(
    tmp_path: Path, ct: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("CovidSegLib.reading.read_volume", fails(AssertionError("was read")))
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "out", tmp_path / ("x" * 300)):
        assert main(["segment", str(ct), "-o", str(out)]) == UNUSABLE
        assert "hoose" in capsys.readouterr().err
    monkeypatch.setattr("tempfile.mkdtemp", fails(PermissionError(errno.EACCES, "Permission denied")))
    assert main(["segment", str(ct), "-o", str(tmp_path / "out")]) == UNUSABLE
    assert "No permission to write" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
    assert (tmp_path / "file").read_text() == "mine"


def test_a_path_that_the_terminal_cannot_encode_is_not_a_failure(
    tmp_path: Path, ct: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(terminal, encoding="ascii"))
    monkeypatch.setattr(pipeline, "segment", instant)
    assert main(["segment", str(ct), "--skip", "overview", "-o", str(tmp_path / "肺")]) == DONE
    assert b"\\u80ba" in terminal.getvalue()


# Exit codes 1 and 3


def instant(volume, model, **options) -> Segmentation:
    """Replaces the pipeline."""
    segmentation = chest(volume.grid)[1]
    options["progress"]("Masks are ready", 1.0)
    return segmentation


def fails(error: BaseException) -> Callable:
    """Return a function that raises `error`."""

    def function(*arguments: object, **options: object) -> None:
        raise error

    return function


def test_an_unexpected_error_is_reported_with_its_traceback(
    out: Path, ct: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "segment", fails(ZeroDivisionError("by nothing")))
    assert main(["segment", str(ct), "-o", str(out), "--progress", "json"]) == FAILED
    printed, errors = capfd.readouterr()
    last = events(printed)[-1]
    assert (last["event"], last["exit_code"]) == ("error", FAILED)
    assert "ZeroDivisionError" in last["message"]
    assert "Traceback" in errors
    assert "by nothing" in errors
    assert not out.parent.exists()


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")]
)
def test_too_little_memory_is_reported(
    error_of: Callable[..., str], ct: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(pipeline, "segment", fails(error))
    assert "not enough memory" in error_of(FAILED, ct)


def test_cancelling_is_reported(error_of: Callable[..., str], ct: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "segment", fails(Cancelled()))
    assert error_of(CANCELLED, ct) == "Cancelled; nothing was written."


def test_json_errors_hold_the_sentence_and_the_exit_code(out: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["segment", "none", "-o", str(out), "--progress", "json"]) == UNUSABLE
    printed, errors = capfd.readouterr()
    last = events(printed)[-1]
    assert last == {"event": "error", "message": last["message"], "exit_code": UNUSABLE}
    assert last["message"].startswith('There is no file or folder "none"')
    assert errors == ""


def test_the_process_ends_with_the_exit_code(tmp_path: Path) -> None:
    process = start("segment", "肺", "-o", tmp_path / "out")
    printed, errors = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, printed) == (UNUSABLE, b"")
    assert errors.decode() == 'There is no file or folder "肺". Check the path.\n'


# Help


def test_without_a_command_the_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """As git does: the help goes to standard output, and the exit code is an error.

    A script whose variable for the command is empty must not look as if it had succeeded.
    """
    assert main([]) == UNUSABLE
    printed, errors = capsys.readouterr()
    assert printed.startswith("usage: covidseg") and errors == ""
    assert all(re.search(rf"^    {name}\s+{command.SUMMARY}$", printed, re.M) for name, command in COMMANDS.items())


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_every_command_has_a_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([*command, "--help"])
    assert end.value.code == DONE
    assert capsys.readouterr().out.startswith(" ".join(["usage: covidseg", *command]))


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_import_nothing_slow(argument: str) -> None:
    process = start(argument, env={"PYTHONPROFILEIMPORTTIME": "1"})
    printed, imported = process.communicate(timeout=TIMEOUT)
    assert process.returncode == DONE
    slow = {b"torch", b"SimpleITK", b"vtkmodules", b"scipy", b"numpy", b"matplotlib", b"tqdm"}
    assert not slow & set(imported.replace(b"|", b" ").split())
    assert printed.strip()


def test_help_appears_at_once() -> None:
    """It takes about 0.06 s of processor time; the bound leaves room for slow machines."""
    before = os.times()
    process = start("--help")
    process.communicate(timeout=TIMEOUT)
    after = os.times()
    assert process.returncode == DONE
    used = after.children_user + after.children_system - before.children_user - before.children_system
    assert used < 0.3
