"""Models of others that would exhaust memory, the stack or patience are refused with a sentence."""

from __future__ import annotations

import hashlib
import os
import random
import re
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from support.command_line import LIBRARY, TIMEOUT
from support.peak_memory import PEAK_KILOBYTES
from support.tiny_run import make_run

from CovidSegLib.cli import main as cli
from CovidSegLib.models import archives, catalogue
from CovidSegLib.runs.card import write_card

#: Runs the command with at most 4 GB of address space.
LIMITED = (
    PEAK_KILOBYTES
    + """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (4 * 10**9, 4 * 10**9))
from CovidSegLib.cli.main import main
code = main(sys.argv[1:])
print(peak_kilobytes())
sys.exit(code)
"""
)


@pytest.fixture
def files(run: Path) -> dict[str, bytes]:
    """The files of a model."""
    write_card(run)
    return {name: (run / name).read_bytes() for name in ("model.safetensors", "card.json", "recipe.toml")}


def pack(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def refusal(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.main(["models", "install", str(path)]) == cli.UNUSABLE
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1 and errors.endswith(".\n"), errors
    return errors


def deep_card(files: dict[str, bytes]) -> None:
    files["card.json"] = 100_000 * b"[" + 100_000 * b"]"


def deep_recipe(files: dict[str, bytes]) -> None:
    files["recipe.toml"] = b"a = " + 100_000 * b"[" + 100_000 * b"]"


def endless_card(files: dict[str, bytes]) -> None:
    files["card.json"] = bytes(20_000_000)


def card_in_latin_1(files: dict[str, bytes]) -> None:
    files["card.json"] = '{"title": "Zürich"}'.encode("latin-1")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (deep_card, 'The card of the model "tiny" cannot be read'),
        (deep_recipe, "is nested too deeply"),
        (endless_card, "card.json in .* is too large for a model"),
        (card_in_latin_1, "cannot be read"),
    ],
)
def test_texts_of_a_model_are_limited(
    files: dict[str, bytes],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[dict[str, bytes]], None],
    message: str,
) -> None:
    change(files)
    error = refusal(pack(tmp_path / "tiny.zip", files), capsys)
    assert re.search(message, error), error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("features = -4", "cannot be built with the arguments in the recipe"),
        ("features = 3.5", "cannot be built with the arguments in the recipe"),
        ("features = [1, 2]", "cannot be built with the arguments in the recipe"),
        ('features = "\\u001b[31m"', "cannot be built with the arguments in the recipe"),
        ("features = 4000000000", "must be numbers from -4096 to 4096"),
    ],
)
def test_networks_that_cannot_be_built_are_refused(
    files: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    recipe = files["recipe.toml"].decode()
    assert "features = 4" in recipe
    files["recipe.toml"] = recipe.replace("features = 4", arguments).encode()
    card = files["card.json"].decode()
    digests = [hashlib.sha256(content.encode()).hexdigest() for content in (recipe, files["recipe.toml"].decode())]
    files["card.json"] = card.replace(*digests).encode()
    error = refusal(pack(tmp_path / "tiny.zip", files), capsys)
    assert message in error and error.strip().isprintable()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_is_refused(
    files: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str], method: int
) -> None:
    """Python inflates these without a limit, and their errors are of other kinds."""
    path = pack(tmp_path / "tiny.zip", files, method)
    assert "compressed in an unusual way" in refusal(path, capsys)


def test_the_size_that_an_archive_states_is_not_trusted(
    files: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(archives.SIZE_LIMITS, "card.json", 1000)
    path = pack(tmp_path / "tiny.zip", files)
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("card.json")
        entry.file_size = 500
        assert archives._read_entry(archive, entry, 400) is None


def test_an_archive_with_a_million_files_is_refused(
    files: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    many = {**files, **{f"x{number}": b"" for number in range(20_000)}}
    assert "more files than a model has" in refusal(pack(tmp_path / "tiny.zip", many), capsys)


def test_an_archive_for_more_than_4_gb_is_refused(
    files: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its table of contents could be of any size."""
    path = pack(tmp_path / "tiny.zip", files)
    content = path.read_bytes()
    end = content.rindex(b"PK\5\6")
    path.write_bytes(content[:end] + b"PK\6\7" + struct.pack("<IQI", 0, 0, 1) + content[end:])
    assert "more files than a model has" in refusal(path, capsys)


@pytest.mark.skipif(sys.platform == "win32", reason="needs the limits of POSIX")
@pytest.mark.parametrize("kind", ["network", "file"])
def test_a_model_cannot_exhaust_memory(run: Path, tmp_path: Path, own_models: Path, kind: str) -> None:
    """A recipe may describe networks of any size, which its few weights do not fit."""
    model = write_card(run).folder
    if kind == "network":
        recipe = (model / "recipe.toml").read_text().replace("features = 4", "features = 4000")
        (model / "recipe.toml").write_text(recipe)
        source = model
    else:
        source = tmp_path / "sparse.zip"
        with source.open("wb") as file:
            file.truncate(10**12)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, "models", "install", str(source), "--name", "huge"],
        cwd=LIBRARY,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == cli.UNUSABLE, done.stderr
    assert ("do not fit its recipe" if kind == "network" else "it is too large") in done.stderr
    assert int(done.stdout.split()[-1]) < 1_500_000
    assert not own_models.exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("kind", ["pipe", "/dev/zero"])
@pytest.mark.parametrize("place", ["archive", "card.json", "model.safetensors", "recipe.toml"])
def test_a_pipe_or_device_is_not_waited_for(
    run: Path, tmp_path: Path, kind: str, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_card(run)
    path = tmp_path / "tiny.zip" if place == "archive" else run / place
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(kind)
    assert "it is not a regular file" in refusal(path if place == "archive" else run, capsys)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_installed_models_that_are_pipes_are_listed_as_damaged(
    own_models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (own_models / "odd").mkdir(parents=True)
    os.mkfifo(own_models / "odd" / "card.json")
    assert cli.main(["models"]) == cli.DONE
    assert "its card is damaged" in capsys.readouterr().out
    assert "odd" not in [model.name for model in catalogue.installed()]


def test_weights_with_a_changed_recipe_are_not_loaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """When they are used, too: the folder of a run may come from others."""
    run = make_run(tmp_path / "run")
    write_card(run)
    (run / "recipe.toml").write_text((run / "recipe.toml").read_text().replace("features = 4", "features = 4000"))
    assert cli.main(["segment", "--demo", "-o", str(tmp_path / "out"), "--model", str(run)]) == cli.UNUSABLE
    assert "do not fit its recipe" in capsys.readouterr().err


def test_random_damage_to_archives_gives_sentences(
    files: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = pack(tmp_path / "tiny.zip", files).read_bytes()
    generator = random.Random(0)
    for _ in range(150):
        damaged = bytearray(content)
        for _ in range(generator.choice([1, 3, 10])):
            end = generator.random() < 0.7  # most of what can go wrong is in the table at the end
            position = len(damaged) - generator.randrange(1, 330) if end else generator.randrange(len(damaged))
            damaged[position] = generator.randrange(256)
        if generator.random() < 0.2:
            del damaged[generator.randrange(len(damaged)) :]
        (tmp_path / "tiny.zip").write_bytes(damaged)
        code = cli.main(["models", "install", str(tmp_path / "tiny.zip"), "--overwrite"])
        errors = capsys.readouterr().err
        assert code in (cli.DONE, cli.UNUSABLE), errors
        assert "Traceback" not in errors and errors.count("\n") == (code == cli.UNUSABLE)
