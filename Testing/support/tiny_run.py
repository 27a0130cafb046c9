"""The folder of a finished training of a tiny recipe, without a model card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from CovidSegLib import networks, recipes
from CovidSegLib.networks.weights import unique_state

FACTS: dict[str, Any] = {"recipe": "tiny", "seed": 0, "trained_on": ["a"], "never_trained_on": ["b"]}
#: A recipe that is not one of the library's.
RECIPE = """
like = "chs-net"
name = "tiny"
title = "Tiny"
[lungs]
arguments.features = 4
slices.size = [32, 32]
[infection]
arguments.features = 4
slices.size = [32, 32]
"""


def make_run(run: Path, **facts: Any) -> Path:
    """Write the files of a finished training; `facts` are added to training.json."""
    run.mkdir(parents=True, exist_ok=True)
    (run / "recipe.toml").write_text(RECIPE)
    weights = {}
    for name, stage in recipes.load(str(run / "recipe.toml")).stages.items():
        state = unique_state(networks.build(stage.network, stage.arguments))
        weights |= {f"{name}.{key}": value for key, value in state.items()}
    save_file(weights, run / "model.safetensors")
    (run / "training.json").write_text(json.dumps({**FACTS, **facts}))
    return run
