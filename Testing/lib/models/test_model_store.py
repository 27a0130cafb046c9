"""`covidseg models`: models are checked completely, and added completely or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from safetensors.torch import save
from support.tiny_run import make_run

from CovidSegLib import models, recipes
from CovidSegLib.cli import main as cli
from CovidSegLib.models import archives
from CovidSegLib.models.loading import recipe_of
from CovidSegLib.runs.card import write_card

#: Files of a model whose networks are not exported.
NOT_EXPORTED = {models.WEIGHTS_FILE, models.CARD_FILE, models.RECIPE_FILE}


@pytest.fixture(autouse=True)
def no_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exporting networks takes seconds; see test_exported.py."""
    monkeypatch.setitem(sys.modules, "onnx", None)  # type: ignore[arg-type]


@pytest.fixture
def do(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run `covidseg models`, which must succeed, and return its output."""

    def run(*arguments: object) -> str:
        code = cli.main(["models", *map(str, arguments)])
        out, err = capsys.readouterr()
        assert code == cli.DONE, err
        return out

    return run


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], own_models: Path) -> Callable[..., str]:
    """Run `covidseg models`, which must fail and change nothing, and return its error message of one line."""

    def run(*arguments: object) -> str:
        before = everything(own_models)
        assert cli.main(["models", *map(str, arguments)]) == cli.UNUSABLE
        assert everything(own_models) == before
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        return err

    return run


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_packed_run_is_an_independent_model(do: Callable[..., str], run: Path, own_models: Path) -> None:
    (run / "checkpoint.pt").write_bytes(b"large")
    assert "mine: Tiny, " in do("pack", run, "--name", "mine")
    shutil.rmtree(run)
    found = models.find_model("mine")
    assert found.folder == own_models / "mine" and found.verified_weights()
    assert recipe_of(found).name == "tiny"
    assert sorted(path.name for path in found.folder.iterdir()) == sorted(NOT_EXPORTED)


def test_results_in_a_card_are_packed_too(do: Callable[..., str], run: Path) -> None:
    card = write_card(run).card
    (run / "card.json").write_text(json.dumps({**card, "results": {"masks": {"b": 0.5}}}))
    do("pack", run, "--name", "mine")
    assert models.find_model("mine").card["results"] == {"masks": {"b": 0.5}}


def test_a_model_is_replaced_only_with_overwrite(
    do: Callable[..., str], refused: Callable[..., str], run: Path, tmp_path: Path
) -> None:
    do("pack", run, "--name", "mine")
    other = make_run(tmp_path / "other", licence="Weights: another's.")
    assert 'There is already a model "mine". Choose another name, or allow overwriting.' in refused(
        "pack", other, "--name", "mine"
    )
    do("pack", other, "--name", "mine", "--overwrite")
    assert models.find_model("mine").card["licence"] == "Weights: another's."
    assert models.find_model("mine").verified_weights() == (other / "model.safetensors").read_bytes()


def test_models_can_be_packed_into_another_folder(do: Callable[..., str], run: Path, tmp_path: Path) -> None:
    do("pack", run, "--name", "mine", "--into", tmp_path / "else")
    assert models.find_model(tmp_path / "else" / "mine").name == "mine"
    assert "mine" not in models.names()


@pytest.mark.parametrize("name", ["../mine", "a/b", ".mine", "a b", "mine.", "x" * 65])
def test_names_that_cannot_be_folders_are_refused(refused: Callable[..., str], run: Path, name: str) -> None:
    assert f'"{name}" cannot be the name of a model' in refused("pack", run, "--name", name)


def test_models_that_come_with_covidseg_are_neither_replaced_nor_removed(
    refused: Callable[..., str], run: Path
) -> None:
    message = 'The model "unet-cascade" comes with CovidSeg'
    assert f"{message}. Choose another name" in refused("pack", run, "--name", "unet-cascade", "--overwrite")
    assert f"{message} and is not removed" in refused("remove", "unet-cascade")
    assert 'no model "mine" of your own. Your models: none.' in refused("remove", "mine")


def test_removing_a_model_leaves_other_files(do: Callable[..., str], run: Path, own_models: Path) -> None:
    for name in ("mine", "other"):
        do("pack", run, "--name", name)
    (own_models / "other" / "notes.txt").write_text("of the user")
    assert do("remove", "mine") == "Removed: mine.\n"
    do("remove", "other")
    assert everything(own_models) == {"other/notes.txt": b"of the user"}
    assert "other" not in models.names()


def test_verify_reports_damaged_models(
    do: Callable[..., str], run: Path, own_models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    do("pack", run, "--name", "mine")
    names = models.names()
    assert names[0] == models.DEFAULT and {"mine", "unet-cascade"} < {*names}
    assert do("verify") == "".join(f"{name}: verified\n" for name in names)
    weights = own_models / "mine" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    assert cli.main(["models", "verify"]) == cli.UNUSABLE
    out, err = capsys.readouterr()
    assert out.startswith(f"{models.DEFAULT}: verified\n")
    assert '\nmine: The weights of the model "mine" are not those that its card' in out
    assert err == "Do not use mine; the reasons are given above.\n"
    assert do("verify", "unet-cascade") == "unet-cascade: verified\n"


# From one computer to another


@pytest.fixture
def archive(run: Path, tmp_path: Path) -> Path:
    """An exported model."""
    write_card(run)
    path = tmp_path / "tiny.zip"
    assert cli.main(["models", "export", str(run), "-o", str(path)]) == cli.DONE
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("named", [[], ["--name", "other"]])
def test_exported_models_can_be_installed(
    do: Callable[..., str], archive: Path, run: Path, named: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    do("install", archive, "--sha256", sha256(archive).upper(), *named)
    found = models.find_model("other" if named else "tiny")
    assert found.card == models.find_model(run).card
    assert found.verified_weights() == (run / "model.safetensors").read_bytes()
    assert recipe_of(found).name == "tiny"


def test_a_folder_can_be_installed(do: Callable[..., str], refused: Callable[..., str], run: Path) -> None:
    write_card(run)
    assert 'model.safetensors in "tiny-run" does not have the hash that --sha256 gives' in refused(
        "install", run, "--sha256", "0" * 64
    )
    do("install", run, "--sha256", sha256(run / "model.safetensors"))
    assert models.find_model("tiny-run").folder != run


def test_an_exported_model_includes_its_recipe(do: Callable[..., str], tmp_path: Path) -> None:
    do("export", "unet-cascade", "-o", tmp_path / "copy.zip")
    do("install", tmp_path / "copy.zip")
    assert recipe_of(models.find_model("copy")) == recipes.load("unet-cascade")
    assert models.find_model("copy").recipe == str(models.user_folder() / "copy" / "recipe.toml")


def test_a_file_is_replaced_only_with_overwrite(
    do: Callable[..., str], refused: Callable[..., str], archive: Path
) -> None:
    archive.write_bytes(b"mine")
    assert "already exists. Choose another name" in refused("export", "unet-cascade", "-o", archive)
    assert archive.read_bytes() == b"mine"
    do("export", "unet-cascade", "-o", archive, "--overwrite")
    assert zipfile.is_zipfile(archive) and not archive.with_name("tiny.zip.new").exists()


def test_only_the_model_s_files_are_installed(do: Callable[..., str], archive: Path, own_models: Path) -> None:
    """From the top of the archive or from one folder; other files are ignored."""
    inside = zipfile.ZipFile(archive)
    with zipfile.ZipFile(archive.with_name("deep.zip"), "w") as deep:
        deep.mkdir("tiny")
        for name in inside.namelist():
            deep.writestr(f"tiny/{name}", inside.read(name))
        deep.writestr("tiny/run.py", "print()")
        deep.writestr("__MACOSX/tiny/card.json", "{}")
    do("install", archive.with_name("deep.zip"))
    assert sorted(everything(own_models)) == sorted(f"deep/{name}" for name in NOT_EXPORTED)


def changed(archive: Path, **files: bytes | None) -> None:
    """Replace files in the archive; None removes one. Names have two underscores for a dot."""
    with zipfile.ZipFile(archive) as old:
        content = {name: old.read(name) for name in old.namelist()}
    content |= {name.replace("__", "."): data for name, data in files.items()}  # type: ignore[dict-item]
    with zipfile.ZipFile(archive, "w") as new:
        for name, data in content.items():
            if data is not None:
                new.writestr(name, data)


OTHER = save({})
BAD: dict[str, tuple[dict[str, bytes | None], str]] = {
    "no card": ({"card__json": None}, '"tiny" is not a complete model: card.json missing'),
    "nothing": (dict.fromkeys(("card__json", "model__safetensors")), "model.safetensors and card.json missing"),
    "a broken card": ({"card__json": b"{"}, 'The card of the model "tiny" cannot be read. Ask its author'),
    "a poor card": ({"card__json": b"{}"}, 'The card of the model "tiny" lacks "title", '),
    "other weights": ({"model__safetensors": OTHER}, "are not those that its card describes (their SHA-256 differs)"),
    "a broken recipe": ({"recipe__toml": b"["}, "The recipe recipe.toml is not valid TOML"),
    "no recipe": ({"recipe__toml": None}, 'There is no recipe "tiny"'),
    "another recipe": ({"recipe__toml": b'like = "raiu-net"'}, '"tiny" do not fit its recipe "recipe". Ask its author'),
    "a path upwards": ({"../card__json": b"{}"}, 'would be written outside its folder ("../card.json")'),
    "a path downwards": ({"/tmp/x": b"{}"}, 'would be written outside its folder ("/tmp/x")'),
    "a drive": ({"C:x": b"{}"}, 'would be written outside its folder ("C:x")'),
    "two cards": ({"a/card__json": b"{}"}, '"tiny.zip" contains more than one card.json'),
}


@pytest.mark.parametrize("kind", BAD)
def test_archives_without_a_usable_model_are_refused(refused: Callable[..., str], archive: Path, kind: str) -> None:
    files, message = BAD[kind]
    changed(archive, **files)
    assert message in refused("install", archive)


def test_files_that_are_not_weights_are_refused(refused: Callable[..., str], archive: Path, run: Path) -> None:
    card = json.loads((run / "card.json").read_text())
    data = b"\x08\0\0\0\0\0\0\0nonsense"
    card["sha256"] = hashlib.sha256(data).hexdigest()
    changed(archive, model__safetensors=data, card__json=json.dumps(card).encode())
    assert 'do not fit its recipe "tiny"' in refused("install", archive)


def test_unreadable_files_are_reported(
    refused: Callable[..., str], archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "cannot be read (No such file" in refused("install", tmp_path / "none.zip")
    (tmp_path / "text.zip").write_text("text")
    assert '"text.zip" is not a readable .zip file (File is not a zip file)' in refused(
        "install", tmp_path / "text.zip"
    )
    data = bytearray(archive.read_bytes())
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "damaged.zip").write_bytes(data)
    assert '"damaged.zip" is not a readable .zip file' in refused("install", tmp_path / "damaged.zip")
    assert '"tiny.zip" does not have the hash that --sha256 gives' in refused("install", archive, "--sha256", "0" * 64)
    monkeypatch.setitem(archives.SIZE_LIMITS, "card.json", 10)
    assert 'card.json in "tiny.zip" is too large for a model' in refused("install", archive)


@pytest.fixture
def address(archive: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a local server for the folder of the archive."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    handler = partial(SimpleHTTPRequestHandler, directory=str(archive.parent))
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *arguments: None)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_model_is_installed_from_an_address(
    do: Callable[..., str], refused: Callable[..., str], archive: Path, address: str
) -> None:
    assert "could be changed on its way" in refused("install", f"{address}/tiny.zip")
    assert "could be changed on its way" in refused("install", "ftp://x/tiny.zip", "--sha256", sha256(archive))
    assert "does not have the hash that --sha256 gives, and is not used" in refused(
        "install", f"{address}/tiny.zip", "--sha256", "0" * 64
    )
    assert "none.zip cannot be downloaded (File not found). Check the address" in refused(
        "install", f"{address}/none.zip", "--sha256", "0" * 64
    )
    do("install", f"{address}/tiny.zip?download=1", "--sha256", sha256(archive))
    assert models.find_model("tiny").verified_weights()


def test_an_address_without_a_server_is_reported(refused: Callable[..., str], address: str) -> None:
    gone = "http://127.0.0.1:1/tiny.zip"
    assert f"{gone} cannot be downloaded (ConnectionError). Check" in refused("install", gone, "--sha256", "0" * 64)
