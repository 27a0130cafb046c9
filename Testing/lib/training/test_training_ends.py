"""When training ends, what is monitored, and which weights are kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.tiny_case import chest_case
from support.tiny_training import STUCK, TRAINING, make_task, metrics

from CovidSegLib.errors import InputError
from CovidSegLib.inference.loaded_stage import LoadedStage
from CovidSegLib.training import checkpoint, loop
from CovidSegLib.training.batch_step import BatchStep


@pytest.mark.parametrize("watch", ["loss", "validation-dice"])
def test_training_stops_early_without_improvement(tmp_path: Path, watch: str) -> None:
    """The last epoch is validated even if it comes early."""
    scans = [chest_case("a")]
    trained = loop.train_stage(make_task(replace(STUCK, watch=watch)), scans, scans, tmp_path)
    rows = metrics(tmp_path)
    assert 3 <= len(rows) == trained.epochs < 20
    assert rows[-1]["validation_dice"]


def test_the_best_weights_are_kept_if_the_recipe_asks_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of three epochs is validated as the best, and its weights are returned."""
    scans, dice = [chest_case("a")], iter([0.2, 0.6, 0.4])
    states: list[dict[str, torch.Tensor]] = []

    def fake_validate(name: str, loaded: LoadedStage, *arguments: object) -> tuple[float, list]:
        states.append({key: value.clone() for key, value in loaded.network.state_dict().items()})
        return next(dice), []

    monkeypatch.setattr(loop, "validate", fake_validate)
    trained = loop.train_stage(make_task(replace(TRAINING, keep="best")), scans, scans, tmp_path)
    assert (trained.best_epoch, trained.dice, trained.epochs) == (2, 0.6, 3)
    for key, value in trained.network.state_dict().items():
        assert torch.equal(value, states[1][key]), key
    assert any(not torch.equal(states[1][key], states[2][key]) for key in states[1])


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scans = [chest_case("a")]
    step = BatchStep.__call__
    losses = iter([0.5] * 3 + [float("nan")])
    monkeypatch.setattr(BatchStep, "__call__", lambda self, image, mask: (step(self, image, mask), next(losses))[1])
    with pytest.raises(InputError, match=r"In epoch 2 .* the loss is not finite .* Lower the learning rate"):
        loop.train_stage(make_task(), scans, scans, tmp_path)
    assert len(metrics(tmp_path)) == 1
    assert checkpoint.load(tmp_path / "last.pt") is not None


def test_a_gradient_that_is_not_finite_does_not_reach_the_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss is finite, so that a bad gradient of the last step would only be noticed after the checkpoint."""
    scans = [chest_case("a")]
    steps, step = iter(range(100)), BatchStep.__call__

    def spoil_gradient(self: BatchStep, image: torch.Tensor, mask: torch.Tensor) -> float:
        loss = step(self, image, mask)
        if next(steps) == 5:  # the last of the second epoch
            next(self.network.parameters()).grad.fill_(float("inf"))
        return loss

    monkeypatch.setattr(BatchStep, "__call__", spoil_gradient)
    with pytest.raises(InputError, match=r"In epoch 2 .* the gradient is not finite"):
        loop.train_stage(make_task(), scans, scans, tmp_path)
    state = checkpoint.load(tmp_path / "last.pt")
    assert state is not None and all(torch.isfinite(value).all() for value in state["parts"][0].values())


# What is monitored


def test_the_learning_rate_falls_while_the_dice_does_not_improve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "validate", lambda *arguments: (0.5, []))
    training = replace(STUCK, early_stopping=None, epochs={"infection": 4}, optimiser=TRAINING.optimiser)
    loop.train_stage(make_task(training), [chest_case("a")], [chest_case("a")], tmp_path)
    assert [float(row["learning_rate"]) for row in metrics(tmp_path)] == [0.03, 0.015, 0.0075, 0.00375]


def test_without_validation_the_loss_is_monitored_and_the_last_epoch_kept(tmp_path: Path) -> None:
    """The Dice of no voxels would be 1, and the first epoch the best."""
    not_annotated = chest_case("b")
    not_annotated.infection_known[:] = False
    training = replace(STUCK, watch="validation-dice", keep="best")
    for number, validation in enumerate(([], [not_annotated])):
        run = tmp_path / str(number)
        trained = loop.train_stage(make_task(training), [chest_case("a")], validation, run)
        assert (trained.dice, trained.best_epoch, trained.kept) == (None, 0, "averaged")
        assert 3 <= trained.epochs < 20
        assert not any(row["validation_dice"] for row in metrics(run))
