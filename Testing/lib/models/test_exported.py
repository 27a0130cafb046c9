"""Exported networks: the same masks as PyTorch, without it, and only the files that the card describes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support import tiny_run
from support.phantoms import UPPER, phantom_on
from support.stages import patch_stage, slice_stage
from torch import nn

from CovidSegLib import models, system
from CovidSegLib.cli import main as cli
from CovidSegLib.errors import InputError
from CovidSegLib.inference.engines import choice, torch_engine
from CovidSegLib.inference.engines.openvino_engine import OpenVinoNetwork
from CovidSegLib.models import exporting
from CovidSegLib.models.exported import load_exported
from CovidSegLib.models.exporting import NotExportableError, export_stage, largest_difference
from CovidSegLib.models.loading import load_stages
from CovidSegLib.models.store import check_model_files, read_model_files
from CovidSegLib.networks import QCHCUNet
from CovidSegLib.pipeline import segment
from CovidSegLib.segmentation import Segmentation

TINY = """
like = "unet-cascade"
name = "tiny"
title = "Tiny"
[lungs]
slices.size = [32, 48]
arguments.filters = [4, 4, 4, 4, 4, 4]
[infection]
slices.size = [32, 48]
arguments.filters = [4, 4, 4, 4, 4, 4]
"""
REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the default model that can be damaged."""
    return Path(shutil.copytree(models.find_model().folder, tmp_path / "copy"))


@pytest.fixture
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let PyTorch compute in float32 too, also on CPUs with instructions for bfloat16."""
    monkeypatch.setattr(torch_engine, "choose_precision", lambda device: torch.float32)
    monkeypatch.setattr(system, "_last", {})


@pytest.mark.parametrize("name", ["qc-hc-cascade", "unet-cascade"])
def test_exported_networks_compute_what_pytorch_computes(name: str) -> None:
    """Those that come with the library, with its weights."""
    model = models.find_model(name)
    for stage, loaded in load_stages(model, torch.device("cpu")).items():
        assert isinstance(loaded.network, nn.Module)
        assert largest_difference(loaded.network, loaded.stage, model.verified_graph(stage)) < exporting.TOLERANCE


@pytest.mark.usefixtures("float32")
def test_both_engines_give_the_same_masks() -> None:
    volume = phantom_on(UPPER).volume
    results: list[Segmentation] = [segment(volume, device="cpu", engine=engine) for engine in ("openvino", "torch")]
    assert [result.provenance["engine"] for result in results] == ["openvino", "torch"]
    assert [result.provenance["precision"] for result in results] == ["float32", "float32"]
    for name, mask in results[0].segments.items():
        other = results[1].segments[name]
        assert other.any() and 2 * np.count_nonzero(mask & other) / (mask.sum() + other.sum()) > 0.999


def test_segmenting_on_the_cpu_imports_neither_pytorch_nor_what_reports_its_use(tmp_path: Path) -> None:
    script = (
        "import sys, socket\n"
        "socket.socket.connect = lambda *a: sys.exit('connected')\n"
        "from CovidSegLib.cli.main import main\n"
        f"code = main(['segment', '--demo', '--device', 'cpu', '-o', {str(tmp_path / 'out')!r}])\n"
        "loaded = sorted({'torch', 'monai', 'openvino_telemetry', 'openvino.tools.ovc'} & set(sys.modules))\n"
        "sys.exit(f'{code} {loaded}')"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "0 []", done.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["provenance"]["engine"] == "openvino"
    assert {"openvino"} < report["provenance"]["versions"].keys() and "torch" not in report["provenance"]["versions"]


def test_a_packed_run_is_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVIDSEG_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(tiny_run, "RECIPE", TINY)
    run = tiny_run.make_run(tmp_path / "run")
    assert cli.main(["models", "pack", str(run), "--name", "mine"]) == cli.DONE
    packed = models.find_model("mine")
    assert set(packed.graphs) == {"lungs", "infection"}
    loaded = load_exported(packed)
    images = np.random.default_rng(0).random((5, *loaded["lungs"].stage.input_shape), dtype=np.float32)
    for name, expected in load_stages(packed, torch.device("cpu")).items():
        with torch.inference_mode():
            logits = expected.network(torch.from_numpy(images)).numpy()  # type: ignore[operator]
        np.testing.assert_allclose(loaded[name].slice_network.run(images), logits, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("network", "stage", "reason"),
    [
        (nn.Conv3d(1, 1, 1), patch_stage(), "patches"),
        (nn.Sequential(nn.Conv2d(1, 1, 1), nn.Dropout(0.5).train()), slice_stage(count=1), "differ"),
    ],
)
def test_networks_that_cannot_be_exported_say_why(network: nn.Module, stage: object, reason: str) -> None:
    with pytest.raises(NotExportableError, match=reason):
        export_stage(network, stage)  # type: ignore[arg-type]


def test_packing_without_the_export_still_gives_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COVIDSEG_MODELS", str(tmp_path / "models"))
    monkeypatch.setitem(sys.modules, "onnx", None)  # type: ignore[arg-type]
    assert cli.main(["models", "pack", str(tiny_run.make_run(tmp_path / "run")), "--name", "mine"]) == cli.DONE
    assert "will run in PyTorch only" in capsys.readouterr().err
    assert not models.find_model("mine").graphs


def test_a_graph_fits_any_weights_of_its_network() -> None:
    """PyTorch merges equal weights while it exports; those of a new network are equal in many places."""
    network = QCHCUNet(2, 1, 2, features=2).eval()
    stage = slice_stage(count=1, labels=("lungs", "infection"))
    graph = export_stage(network, stage)
    for tensor in network.parameters():
        tensor.data += torch.rand_like(tensor) * 0.2
    assert largest_difference(network, stage, graph) < exporting.TOLERANCE


# Damaged files


def damage_graph(folder: Path) -> None:
    (folder / "infection.onnx").write_bytes((folder / "infection.onnx").read_bytes() + b" ")


def remove_graph(folder: Path) -> None:
    (folder / "lungs.onnx").unlink()


def exchange_graphs(folder: Path) -> None:
    """The right SHA-256, but of another network."""
    card = json.loads((folder / "card.json").read_text())
    card["graphs"]["lungs"] = card["graphs"]["infection"]
    (folder / "card.json").write_text(json.dumps(card))
    shutil.copy(folder / "infection.onnx", folder / "lungs.onnx")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_graph, "not those that its card describes"),
        (remove_graph, "missing or cannot be read"),
        (exchange_graphs, "do not fit its weights"),
    ],
)
def test_damaged_graphs_are_not_used(copied: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(copied)
    with pytest.raises(InputError, match=message):
        load_exported(models.open_model(copied))


@pytest.mark.parametrize(
    ("damage", "message"),
    [(damage_graph, "SHA-256 differs"), (remove_graph, "exported networks are missing")],
)
def test_damaged_graphs_are_not_installed(copied: Path, damage: Callable[[Path], None], message: str) -> None:
    check_model_files(read_model_files(copied), "copy")
    damage(copied)
    with pytest.raises(InputError, match=message):
        check_model_files(read_model_files(copied), "copy")


def test_a_graph_reads_no_other_files() -> None:
    with pytest.raises(ValueError, match="refers to other files"):
        OpenVinoNetwork(b"... location /etc/passwd ...", {}, (1, 32, 32))


def test_a_card_names_a_hash_for_each_graph(copied: Path) -> None:
    card = json.loads((copied / "card.json").read_text())
    (copied / "card.json").write_text(json.dumps({**card, "graphs": ["lungs"]}))
    with pytest.raises(InputError, match='"graphs" that does not name a SHA-256'):
        models.open_model(copied)


# The choice, and loading once


@pytest.mark.parametrize(
    ("device", "gpu", "installed", "serves"),
    [
        ("cpu", True, True, True),
        ("auto", False, True, True),
        ("auto", True, True, False),
        ("cuda", True, True, False),
        ("cuda:1", False, True, False),
        ("cpu", False, False, False),
    ],
)
def test_openvino_serves_cpus(
    monkeypatch: pytest.MonkeyPatch, device: str, gpu: bool, installed: bool, serves: bool
) -> None:
    monkeypatch.setattr(choice, "has_nvidia_gpu", lambda: gpu)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(choice, "find_spec", lambda name: installed or None)
    assert choice.openvino_serves(device) == serves


def test_the_networks_are_loaded_once_for_all_scans(monkeypatch: pytest.MonkeyPatch, copied: Path) -> None:
    monkeypatch.setattr(system, "_last", {})
    first = system.load_system(models.find_model(), "cpu")
    assert system.load_system(models.find_model(), "cpu") is first
    warmer = replace(models.find_model(), card={**models.find_model().card, "temperature": 2.0})
    other = system.load_system(warmer, "cpu")
    assert other is not first and other.infection.temperature == 2.0
    assert system.load_system(models.open_model(copied), "cpu").model.folder == copied


def test_engines_that_cannot_be_used_are_errors(monkeypatch: pytest.MonkeyPatch, copied: Path) -> None:
    with pytest.raises(InputError, match='no engine "tensorflow"'):
        system.load_system(models.find_model(), "cpu", "tensorflow")
    card = json.loads((copied / "card.json").read_text())
    del card["graphs"]
    (copied / "card.json").write_text(json.dumps(card))
    model = models.open_model(copied)
    with pytest.raises(InputError, match="are not exported"):
        system.load_system(model, "cpu", "openvino")
    assert system.load_system(model, "cpu").infection.slice_network.engine == "torch"
