"""What cannot be done is told in one sentence, with the exit code that says whose fault it is; nothing is written."""

from __future__ import annotations

import errno
import io
import json
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
from CovidSegLib.cli.main import CANCELLED, DONE, FAILED, UNUSABLE, main
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
def told(out: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs `covidseg segment` in this process, which must end with a code; gives the sentence on standard error."""

    def run(code: int, *arguments: object) -> str:
        assert main(["segment", *map(str, arguments), "-o", str(out)]) == code
        said, errors = capsys.readouterr()
        assert said == ""
        assert not out.parent.exists()
        assert "Traceback" not in errors
        assert errors.count("\n") == 1
        assert errors.endswith(".\n")
        return errors.strip()

    return run


# Exit code 2


def test_a_path_or_the_demo_and_not_both(told: Callable[..., str], ct: Path) -> None:
    assert told(UNUSABLE) == told(UNUSABLE, ct, "--demo") == "Give either the path of a CT or --demo."


def test_unusable_input_is_told(told: Callable[..., str], ct: Path, tmp_path: Path) -> None:
    assert "There is no file or folder" in told(UNUSABLE, tmp_path / "none.nii.gz")
    (tmp_path / "empty").mkdir()
    assert "holds no DICOM images" in told(UNUSABLE, tmp_path / "empty")
    (tmp_path / "cut.nii.gz").write_bytes(ct.read_bytes()[:50_000])
    assert "cut.nii.gz" in told(UNUSABLE, tmp_path / "cut.nii.gz")
    (tmp_path / "letter.txt").write_text("Dear colleague")
    assert "is no CT file" in told(UNUSABLE, tmp_path / "letter.txt")
    assert "series can be chosen in a DICOM folder only" in told(UNUSABLE, ct, "--series", "1")
    assert "cannot be read" in told(UNUSABLE, tmp_path / ("x" * 300))


def test_a_wrong_window_is_told(told: Callable[..., str], tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (4, 8, 8)).astype(np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(grey), str(tmp_path / "grey.nii.gz"))
    assert "--window LOW HIGH" in told(UNUSABLE, tmp_path / "grey.nii.gz")
    told(UNUSABLE, tmp_path / "grey.nii.gz", "--window", "400", "-1000")


def test_an_unknown_model_or_device_is_told(
    told: Callable[..., str], ct: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 'no model "best"' in told(UNUSABLE, ct, "--model", "best")
    assert "no device “gpu”" in told(UNUSABLE, ct, "--device", "gpu")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert "No GPU that PyTorch can use" in told(UNUSABLE, ct, "--device", "cuda")


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
def test_arguments_that_are_none_are_told(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == UNUSABLE


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a copy of the default model, which is used in its place."""
    folder = tmp_path / "models" / models.DEFAULT
    shutil.copytree(models.find_model().folder, folder)
    monkeypatch.setattr(models.folders, "WEIGHTS", folder.parent)
    return folder


def test_tampered_weights_are_not_used(told: Callable[..., str], ct: Path, model: Path) -> None:
    weights = bytearray((model / "model.safetensors").read_bytes())
    weights[len(weights) // 2] ^= 1
    (model / "model.safetensors").write_bytes(weights)
    assert "SHA-256" in told(UNUSABLE, ct)


def test_missing_weights_and_broken_cards_are_told(told: Callable[..., str], ct: Path, model: Path) -> None:
    (model / "model.safetensors").unlink()
    assert "are missing" in told(UNUSABLE, ct)
    card = json.loads((model / "card.json").read_text())
    del card["recipe"]
    (model / "card.json").write_text(json.dumps(card))
    assert 'lacks "recipe"' in told(UNUSABLE, ct)
    (model / "card.json").write_text("{")
    assert "cannot be read" in told(UNUSABLE, ct)


def test_broken_models_are_listed_beside_the_others(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(model, model.parent / "other")
    (model.parent / "other" / "card.json").write_text("{")
    (model / "model.safetensors").unlink()
    assert main(["models"]) == DONE
    out = capsys.readouterr().out
    assert 'other: The card of the model "other" cannot be read' in out
    assert "model.safetensors, missing" in out


def test_earlier_results_are_kept_unless_told_otherwise(
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


def test_a_folder_that_cannot_be_written_is_told_before_the_ct_is_read(
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


def test_a_path_that_the_terminal_cannot_show_is_no_failure(
    tmp_path: Path, ct: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(terminal, encoding="ascii"))
    monkeypatch.setattr(pipeline, "segment", instant)
    assert main(["segment", str(ct), "--skip", "overview", "-o", str(tmp_path / "肺")]) == DONE
    assert b"\\u80ba" in terminal.getvalue()


# Exit codes 1 and 3


def instant(volume, model, **options) -> Segmentation:
    """Stands for the pipeline."""
    segmentation = chest(volume.grid)[1]
    options["progress"]("Masks are ready", 1.0)
    return segmentation


def fails(error: BaseException) -> Callable:
    """A function that raises."""

    def function(*arguments: object, **options: object) -> None:
        raise error

    return function


def test_a_defect_is_told_with_its_traceback(
    out: Path, ct: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "segment", fails(ZeroDivisionError("by nothing")))
    assert main(["segment", str(ct), "-o", str(out), "--progress", "json"]) == FAILED
    said, errors = capfd.readouterr()
    last = events(said)[-1]
    assert (last["event"], last["exit_code"]) == ("error", FAILED)
    assert "ZeroDivisionError" in last["message"]
    assert "Traceback" in errors
    assert "by nothing" in errors
    assert not out.parent.exists()


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")]
)
def test_too_little_memory_is_told(
    told: Callable[..., str], ct: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(pipeline, "segment", fails(error))
    assert "not enough memory" in told(FAILED, ct)


def test_cancelling_is_told(told: Callable[..., str], ct: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "segment", fails(Cancelled()))
    assert told(CANCELLED, ct) == "Cancelled; nothing was written."


def test_errors_as_json_say_the_sentence_and_the_code(out: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["segment", "none", "-o", str(out), "--progress", "json"]) == UNUSABLE
    said, errors = capfd.readouterr()
    last = events(said)[-1]
    assert last == {"event": "error", "message": last["message"], "exit_code": UNUSABLE}
    assert last["message"].startswith('There is no file or folder "none"')
    assert errors == ""


def test_the_exit_code_is_that_of_the_process(tmp_path: Path) -> None:
    process = start("segment", "肺", "-o", tmp_path / "out")
    said, errors = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, said) == (UNUSABLE, b"")
    assert errors.decode() == 'There is no file or folder "肺": check the path.\n'
