"""Results follow the umask of the user, and temporary files with images are the user's alone."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.results import write
from support.tiny_data import write_data, write_recipe
from support.tiny_run import make_run

from CovidSegLib.cli.main import DONE, main
from CovidSegLib.figures import rendering
from CovidSegLib.reading.private_folder import private_folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no umask")


@pytest.fixture(params=[0o077, 0o027, 0o002], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder.parent)): oct(stat.S_IMODE(path.stat().st_mode))
        for path in (folder, *folder.rglob("*"))
    }


def expected(folder: Path, umask: int) -> dict[str, str]:
    return {
        str(path.relative_to(folder.parent)): oct((0o777 if path.is_dir() else 0o666) & ~umask)
        for path in (folder, *folder.rglob("*"))
    }


def test_result_files_follow_the_umask(tmp_path: Path, umask: int) -> None:
    out = tmp_path / "new" / "out"
    write(out)
    assert len(modes(out)) == 9
    assert modes(out.parent) == expected(out.parent, umask)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_result_files_with_names_that_are_not_utf8_follow_the_umask(tmp_path: Path, umask: int) -> None:
    out = tmp_path / os.fsdecode(b"Z\xfcrich")
    write(out, skip=["overview"])
    assert len(modes(out)) == 8
    assert modes(out) == expected(out, umask)


def test_models_splits_and_pictures_follow_the_umask(
    tmp_path: Path, own_models: Path, umask: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)  # type: ignore[arg-type]  # exporting networks takes seconds
    run = make_run(tmp_path / "run")
    data = write_data(tmp_path / "data")
    out = tmp_path / "out"
    for arguments in (
        ["models", "pack", run, "--name", "mine"],
        ["models", "export", "mine", "-o", out / "mine.zip"],
        ["data", "split", data, "-o", out / "split.json"],
        ["data", "preview", data, "-o", out / "preview.png"],
    ):
        out.mkdir(exist_ok=True)
        assert main(list(map(str, arguments))) == DONE
    for folder in (own_models, out):
        assert len(modes(folder)) > 3
        assert modes(folder) == expected(folder, umask)


def test_a_training_follows_the_umask(tmp_path: Path, umask: int) -> None:
    data = write_data(tmp_path / "data")
    run = tmp_path / "run"
    arguments = ["train", write_recipe(tmp_path), "--data", data, "-o", run, "--epochs", 1, "--workers", 0]
    assert main([*map(str, arguments), "--device", "cpu"]) == DONE
    assert (run / "model.safetensors").exists()
    assert modes(run) == expected(run, umask)


def test_temporary_folders_with_images_are_the_user_s_alone() -> None:
    before = os.umask(0)
    try:
        with private_folder() as folder:
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        child = rendering.Rendering({}, (8, 8))
        assert stat.S_IMODE(Path(child._folder.name).stat().st_mode) == 0o700
        child.close()
    finally:
        os.umask(before)


def test_results_are_not_readable_by_others_while_they_are_written(tmp_path: Path) -> None:
    """The folder in which they are collected is private until they are moved into place."""
    script = (
        "import sys, stat; from pathlib import Path; from CovidSegLib.storage.staging import staged_files\n"
        "with staged_files(Path(sys.argv[1]), ['a'], overwrite=False) as folder:\n"
        "    sys.exit(stat.S_IMODE(folder.stat().st_mode) != 0o700)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=Path(rendering.__file__).parents[2], check=False
    )
    assert done.returncode == 0
