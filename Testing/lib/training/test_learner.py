"""One epoch of training changes the weights as the recipe says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.tiny_training import TRAINING, make_task
from torch.utils.data import DataLoader, TensorDataset

from CovidSegLib.progress import silent
from CovidSegLib.recipe import Component
from CovidSegLib.training.batch_step import BatchStep
from CovidSegLib.training.distributed import ProcessGroup
from CovidSegLib.training.learner import Learner
from CovidSegLib.training.losses import build_loss
from CovidSegLib.training.training_log import TrainingLog


@pytest.mark.parametrize("clip", [1e-3, 1e-2, 1e6, 0.0])
def test_gradients_are_clipped_to_the_norm_of_the_recipe(tmp_path: Path, clip: float) -> None:
    """0 is no limit. With plain gradient descent and a learning rate of 1, the weights move by the gradient."""
    torch.manual_seed(0)
    descent = Component("sgd", {"learning_rate": 1.0})
    training = replace(TRAINING, clip=clip, optimiser=descent, schedule=Component("constant"))
    cpu = torch.device("cpu")
    learner = Learner.build(make_task(training), 1, TrainingLog(tmp_path, print), cpu)
    before = [parameter.detach().clone() for parameter in learner.network.parameters()]
    batches = DataLoader(TensorDataset(torch.rand(4, 1, 32, 32), torch.ones(4, 1, 32, 32)), batch_size=4)
    loss = build_loss(training.loss, 1.0)
    step = BatchStep(learner.network, loss, cpu, torch.float32, torch.channels_last, ProcessGroup(), print)
    learner.train_epoch(batches, step, silent)
    moved = [after.detach() - start for after, start in zip(learner.network.parameters(), before, strict=True)]
    norm = float(torch.stack([part.norm() for part in moved]).norm())
    assert norm == pytest.approx(clip, rel=0.01) if 0 < clip < 1 else 0.1 < norm < (clip or 1e6)
