"""Where a training may run."""

import pytest
import torch

from CovidSegLib.data.split import Split
from CovidSegLib.errors import InputError
from CovidSegLib.recipes import load, resolved_toml
from CovidSegLib.runs.config import RunConfig
from CovidSegLib.runs.run import train_run


def test_an_apple_gpu_is_refused_before_anything_is_written(tmp_path):
    recipe = load("unet-2d-small")
    config = RunConfig(resolved_toml("unet-2d-small"), recipe, Split(("a",), (), (), seed=0), ("infection",), seed=0)
    with pytest.raises(InputError, match="Training on an Apple GPU has not been tested"):
        train_run(tmp_path / "run", config, [], [], device=torch.device("mps"))
    assert not (tmp_path / "run").exists()
