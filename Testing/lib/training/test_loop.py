"""Training learns, can be broken off and gone on with, and makes a model that is found and verified."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.stages import patch_stage, slice_stage
from support.tiny_case import chest_case
from support.tiny_training import DYNUNET, STAGE, TRAINING, metrics
from torch.optim.swa_utils import AveragedModel

from CovidSegLib.errors import InputError
from CovidSegLib.inference.loaded_stage import LoadedStage
from CovidSegLib.networks.weights import unique_state
from CovidSegLib.recipe import Augmentation, Component, Stage, Training
from CovidSegLib.training import loop
from CovidSegLib.training.validation import validate

EPOCHS = 3


def train(run: Path) -> dict[str, torch.Tensor]:
    """The weights that training ends with."""
    scans = [chest_case("a"), chest_case("b")]
    trained = loop.train_stage("infection", STAGE, TRAINING, scans, scans, run)
    return {name: tensor.clone() for name, tensor in unique_state(trained.network).items()}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, torch.Tensor]]:
    run = tmp_path_factory.mktemp("runs") / "infection"
    return run, train(run)


def test_the_loss_falls(unbroken: tuple[Path, dict[str, torch.Tensor]]) -> None:
    rows = metrics(unbroken[0])
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3]
    losses = [float(row["loss"]) for row in rows]
    assert losses[-1] < 0.8 * losses[0]
    assert 0 <= float(rows[-1]["validation_dice"]) <= 1  # measured at the end


def test_the_recipe_says_how_often_it_is_validated(tmp_path: Path) -> None:
    training, scans = replace(TRAINING, validate_every=2), [chest_case("a")]
    loop.train_stage("infection", STAGE, training, scans, scans, tmp_path)
    assert [bool(row["validation_dice"]) for row in metrics(tmp_path)] == [False, True, True]


def break_after(calls: int, function: Callable) -> Callable:
    """The function, which is interrupted in the call after so many."""
    count = iter(range(calls + 1))

    def wrapped(*arguments: object) -> object:
        if next(count) == calls:
            raise KeyboardInterrupt
        return function(*arguments)

    return wrapped


@pytest.mark.parametrize("calls", [6, 8])  # at the beginning of the second epoch of six steps, and within it
def test_a_run_that_was_broken_off_ends_with_the_same_weights(
    unbroken: tuple[Path, dict[str, torch.Tensor]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(AveragedModel, "update_parameters", break_after(calls, AveragedModel.update_parameters))
        train(tmp_path)
    assert len(metrics(tmp_path)) == 1
    resumed = train(tmp_path)
    assert resumed.keys() == unbroken[1].keys()
    for name, tensor in resumed.items():
        torch.testing.assert_close(tensor, unbroken[1][name], rtol=0, atol=0, msg=name)
    rows = [[(row["loss"], row["validation_dice"]) for row in metrics(run)] for run in (tmp_path, unbroken[0])]
    assert rows[0] == rows[1]


def test_a_finished_run_is_not_trained_again(unbroken: tuple[Path, dict[str, torch.Tensor]]) -> None:
    before = (unbroken[0] / "last.pt").read_bytes()
    again = train(unbroken[0])
    assert all(torch.equal(again[name], tensor) for name, tensor in unbroken[1].items())
    assert (unbroken[0] / "last.pt").read_bytes() == before


def test_fewer_slices_than_a_batch_are_told(tmp_path: Path) -> None:
    scans = [chest_case(slices=3)]
    with pytest.raises(InputError, match=r"3 slices .* batch of 4"):
        loop.train_stage("infection", STAGE, TRAINING, scans, scans, tmp_path)


def test_a_run_that_was_killed_after_its_last_checkpoint_has_all_its_metrics(
    unbroken: tuple[Path, dict[str, torch.Tensor]], tmp_path: Path
) -> None:
    shutil.copytree(unbroken[0], tmp_path, dirs_exist_ok=True)
    written = (tmp_path / "metrics.csv").read_text()
    (tmp_path / "metrics.csv").write_text("".join(written.splitlines(keepends=True)[:-1]))
    train(tmp_path)
    assert (tmp_path / "metrics.csv").read_text() == written


# Every kind of recipe

#: A hint of a network for each way to see a scan and each kind of labels.
KINDS: dict[str, tuple[Stage, Training]] = {
    "slices, labels that exclude each other": (
        slice_stage(
            "QCHCUNet",
            {"spatial_dims": 2, "out_channels": 4, "features": 4},
            window=(-1000.0, 200.0),
            labels=("background", "left_lung", "right_lung", "infection"),
        ),
        replace(TRAINING, loss=Component("tversky-ce"), augmentation=(Augmentation("mirror", probability=0.5),)),
    ),
    "patches, deep supervision": (
        patch_stage(
            "FVPASPPUNet",
            {"features": 4},
            window=(-1000.0, 200.0),
            patches={"spacing_mm": (3.0, 10.0, 10.0)},
            region="lungs",
            mask_margin_mm=0.0,
        ),
        replace(TRAINING, loss=Component("bce-dice"), augmentation=(), steps_per_epoch=6, batch=2),
    ),
    "patches, labels that exclude each other": (
        patch_stage(
            "CovidSegNet", {"features": 4}, window=(-1000.0, 200.0), labels=("background", "lungs", "infection")
        ),
        replace(
            TRAINING,
            loss=Component("dice-ce"),
            schedule=Component("polynomial"),
            augmentation=(Augmentation("gamma", probability=0.5),),
            steps_per_epoch=15,
            batch=2,
        ),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("one_thread")
def test_every_kind_of_recipe_learns(kind: str, tmp_path: Path) -> None:
    """The loss falls, and the network that comes back finds what it has learnt."""
    stage, training = KINDS[kind]
    scans = [chest_case("a"), chest_case("b")]
    training = replace(training, epochs={"infection": 6})
    trained = loop.train_stage("infection", stage, training, scans, scans, tmp_path)
    rows = metrics(tmp_path)
    losses = [float(row["loss"]) for row in rows]
    assert losses[-1] < 0.8 * losses[0]
    measured, views = validate("infection", LoadedStage(stage, trained.network), scans)
    assert f"{measured:.4f}" == rows[-1]["validation_dice"]
    assert trained.dice == measured and trained.epochs == 6
    assert len(list((tmp_path / "pictures").glob("*-epoch-0006.png"))) == len(views) == 2
    assert measured > 0.3


@pytest.mark.usefixtures("one_thread")
def test_scans_without_lungs_are_learnt_from_and_measured(tmp_path: Path) -> None:
    """Infection alone, and tumours, which are not measured."""
    scan = chest_case("a")
    scans = [replace(one, masks={"infection": one.infection}) for one in (scan, chest_case("b"))]
    training = replace(TRAINING, epochs={"infection": 8})
    trained = loop.train_stage("infection", STAGE, training, scans, scans, tmp_path / "infection")
    assert trained.dice is not None and trained.dice > 0.1
    tumour = replace(scan, masks={"tumour": scan.infection}, known={"tumour": scan.infection_known})
    stage = replace(STAGE, labels=("background", "tumour"), arguments={**DYNUNET, "out_channels": 2})
    training = replace(TRAINING, loss=Component("tversky-ce", {"alpha": 0.5, "beta": 0.5}))
    trained = loop.train_stage("infection", stage, training, [tumour], [tumour], tmp_path / "tumour")
    assert trained.dice is None
    assert [row["validation_dice"] for row in metrics(tmp_path / "tumour")] == [""] * EPOCHS


def test_a_run_starts_from_another(unbroken: tuple[Path, dict[str, torch.Tensor]], tmp_path: Path) -> None:
    """It has learnt already: its first loss is less than the first of the other."""
    scans = [chest_case("a"), chest_case("b")]
    loop.train_stage("infection", STAGE, TRAINING, scans, scans, tmp_path, start=unbroken[1])
    first, other = (float(metrics(run)[0]["loss"]) for run in (tmp_path, unbroken[0]))
    assert first < 0.8 * other
