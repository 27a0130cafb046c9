"""Training learns, resumes with identical results, and works for every kind of recipe."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import pytest
import torch
from support.stages import patch_stage, slice_stage
from support.tiny_case import chest_case
from support.tiny_training import DYNUNET, STAGE, TRAINING, make_task, metrics
from torch.optim.swa_utils import AveragedModel

from CovidSegLib.errors import InputError
from CovidSegLib.inference.loaded_stage import LoadedStage
from CovidSegLib.networks.weights import unique_state
from CovidSegLib.recipe import Augmentation, Component, Stage, Training
from CovidSegLib.training import loop, losses
from CovidSegLib.training.batch_step import BatchStep
from CovidSegLib.training.distributed import ProcessGroup
from CovidSegLib.training.held_out import build_held_out, held_out_loss
from CovidSegLib.training.losses import build_loss, outline_of
from CovidSegLib.training.validation import validate

EPOCHS = 3


def train(run: Path) -> dict[str, torch.Tensor]:
    """Train and return the weights."""
    scans = [chest_case("a"), chest_case("b")]
    trained = loop.train_stage(make_task(), scans, scans, run)
    return {name: tensor.clone() for name, tensor in unique_state(trained.network).items()}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, torch.Tensor]]:
    run = tmp_path_factory.mktemp("runs") / "infection"
    return run, train(run)


def test_the_loss_falls(uninterrupted: tuple[Path, dict[str, torch.Tensor]]) -> None:
    rows = metrics(uninterrupted[0])
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3]
    losses = [float(row["loss"]) for row in rows]
    assert losses[-1] < 0.8 * losses[0]
    assert 0 <= float(rows[-1]["validation_dice"]) <= 1  # the last epoch is always validated
    assert [bool(row["validation_loss"]) for row in rows] == [False, False, True]  # with the same scans, not augmented
    assert float(rows[-1]["validation_loss"]) < losses[0]
    height, width, _ = matplotlib.image.imread(uninterrupted[0] / "curves.png").shape
    assert (height, width) == (400, 700)


def test_the_held_out_loss_is_that_of_slices_without_augmentation() -> None:
    """Computed by hand, with a network that returns its input."""
    task, case = make_task(), chest_case("a")
    loss = build_loss(task.training.loss, 1.0)
    cpu = torch.device("cpu")
    step = BatchStep(torch.nn.Identity(), loss, cpu, torch.float32, torch.channels_last, ProcessGroup(), print)
    samples = build_held_out(task, [case])
    assert len(samples) == len(case.scan)
    batches = [
        [torch.stack(parts) for parts in zip(*samples[start : start + 4], strict=True)] for start in range(0, 12, 4)
    ]
    expected = sum(float(loss(image, mask)) for image, mask in batches) / 3
    assert held_out_loss(torch.nn.Identity(), samples, step, task) == pytest.approx(expected)
    again = build_held_out(task, [case])
    assert all(torch.equal(one[0], other[0]) for one, other in zip(samples, again, strict=True))
    patches = replace(task, stage=patch_stage(size=(4, 16, 16)))
    first, second = (build_held_out(patches, [case]) for _ in range(2))
    assert all(torch.equal(one[0], other[0]) for one, other in zip(first, second, strict=True))


def test_the_edge_branch_of_inf_net_is_trained_on_outlines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outlines: list[torch.Tensor] = []

    def spy(mask: torch.Tensor) -> torch.Tensor:
        outlines.append(outline_of(mask))
        return outlines[-1]

    monkeypatch.setattr(losses, "outline_of", spy)
    stage, scans = slice_stage("InfNet", {"features": 4}), [chest_case("a")]
    training = replace(TRAINING, epochs={"infection": 1}, validate_every=1)
    loop.train_stage(make_task(training, stage=stage), scans, scans, tmp_path)
    assert any(outline.any() for outline in outlines)


def test_the_recipe_sets_the_validation_interval(tmp_path: Path) -> None:
    training, scans = replace(TRAINING, validate_every=2), [chest_case("a")]
    loop.train_stage(make_task(training), scans, scans, tmp_path)
    assert [bool(row["validation_dice"]) for row in metrics(tmp_path)] == [False, True, True]


def interrupt_after(calls: int, function: Callable) -> Callable:
    """Wrap a function: it is interrupted after a number of calls."""
    count = iter(range(calls + 1))

    def wrapped(*arguments: object) -> object:
        if next(count) == calls:
            raise KeyboardInterrupt
        return function(*arguments)

    return wrapped


@pytest.mark.parametrize("calls", [6, 8])  # at the start of the second epoch of six steps, and in the middle of it
def test_a_resumed_run_ends_with_the_same_weights(
    uninterrupted: tuple[Path, dict[str, torch.Tensor]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(AveragedModel, "update_parameters", interrupt_after(calls, AveragedModel.update_parameters))
        train(tmp_path)
    assert len(metrics(tmp_path)) == 1
    resumed = train(tmp_path)
    assert resumed.keys() == uninterrupted[1].keys()
    for name, tensor in resumed.items():
        torch.testing.assert_close(tensor, uninterrupted[1][name], rtol=0, atol=0, msg=name)
    rows = [[(row["loss"], row["validation_dice"]) for row in metrics(run)] for run in (tmp_path, uninterrupted[0])]
    assert rows[0] == rows[1]


def test_a_finished_run_is_not_trained_again(uninterrupted: tuple[Path, dict[str, torch.Tensor]]) -> None:
    before = (uninterrupted[0] / "last.pt").read_bytes()
    again = train(uninterrupted[0])
    assert all(torch.equal(again[name], tensor) for name, tensor in uninterrupted[1].items())
    assert (uninterrupted[0] / "last.pt").read_bytes() == before


def test_fewer_slices_than_a_batch_are_reported(tmp_path: Path) -> None:
    scans = [chest_case(slices=3)]
    with pytest.raises(InputError, match=r"3 slices .* batch of 4"):
        loop.train_stage(make_task(), scans, scans, tmp_path)


def test_a_run_killed_between_checkpoint_and_metrics_has_all_metrics_when_resumed(
    uninterrupted: tuple[Path, dict[str, torch.Tensor]], tmp_path: Path
) -> None:
    shutil.copytree(uninterrupted[0], tmp_path, dirs_exist_ok=True)
    written = (tmp_path / "metrics.csv").read_text()
    (tmp_path / "metrics.csv").write_text("".join(written.splitlines(keepends=True)[:-1]))
    train(tmp_path)
    assert (tmp_path / "metrics.csv").read_text() == written


# Every kind of recipe

#: A tiny network for each kind of input and labels.
KINDS: dict[str, tuple[Stage, Training]] = {
    "slices, exclusive labels": (
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
    "patches, exclusive labels": (
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


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] * kind.startswith("patches")) for kind in KINDS]
)
@pytest.mark.usefixtures("one_thread")
def test_every_kind_of_recipe_learns(kind: str, tmp_path: Path) -> None:
    """The loss falls, and the returned network predicts the infection."""
    stage, training = KINDS[kind]
    scans = [chest_case("a"), chest_case("b")]
    training = replace(training, epochs={"infection": 6})
    trained = loop.train_stage(make_task(training, stage=stage), scans, scans, tmp_path)
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
    """Cases with infection masks only, and with tumour masks."""
    scan = chest_case("a")
    scans = [replace(one, masks={"infection": one.infection}) for one in (scan, chest_case("b"))]
    training = replace(TRAINING, epochs={"infection": 8})
    trained = loop.train_stage(make_task(training), scans, scans, tmp_path / "infection")
    assert trained.dice is not None and trained.dice > 0.1
    tumour = replace(scan, masks={"tumour": scan.infection}, known={"tumour": scan.infection_known})
    stage = replace(STAGE, labels=("background", "tumour"), arguments={**DYNUNET, "out_channels": 2})
    training = replace(TRAINING, loss=Component("tversky-ce", {"alpha": 0.5, "beta": 0.5}))
    trained = loop.train_stage(make_task(training, stage=stage), [tumour], [tumour], tmp_path / "tumour")
    assert trained.dice is not None
    assert metrics(tmp_path / "tumour")[-1]["validation_dice"] != ""


def test_a_run_starts_from_the_weights_of_another(
    uninterrupted: tuple[Path, dict[str, torch.Tensor]], tmp_path: Path
) -> None:
    """Its first loss is lower than that of the other run."""
    scans = [chest_case("a"), chest_case("b")]
    loop.train_stage(make_task(initial_weights=uninterrupted[1]), scans, scans, tmp_path)
    first, other = (float(metrics(run)[0]["loss"]) for run in (tmp_path, uninterrupted[0]))
    assert first < 0.8 * other
