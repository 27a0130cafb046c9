"""Train a recipe: `python -m CovidSegLib.training RECIPE --data DIR --out RUN [--leave-out NAME ...]`.

Goes on from RUN where it was broken off. Ends with RUN/model.safetensors and RUN/training.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from safetensors.torch import load_file, save_file

from .. import recipes
from ..data.case import covid19_ct_seg, covid_ct_md
from ..networks.weights import unique_state
from ..recipe import STAGES
from .loop import train_stage


def main() -> None:
    """Train the stages asked for and write their averaged weights in float16."""
    parser = argparse.ArgumentParser(prog="python -m CovidSegLib.training", description=__doc__)
    parser.add_argument("recipe")
    parser.add_argument("--data", type=Path, required=True, help="folder of covid19_ct_seg_hu and covid_ct_md")
    parser.add_argument("--out", type=Path, required=True, help="run folder")
    parser.add_argument("--stage", choices=STAGES, action="append", help="only this stage (repeatable)")
    parser.add_argument("--validation", nargs="*", default=[], help="patients that are never trained on")
    parser.add_argument("--whole-scans", nargs="*", default=[], help="scans of covid_ct_md whose clean slices are used")
    parser.add_argument("--start", type=Path, metavar="RUN", help="finished run of a similar recipe to start from")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    recipe = recipes.load(arguments.recipe)
    cases = covid19_ct_seg(arguments.data / "covid19_ct_seg_hu")
    patients = {case.patient for case in cases}
    if unknown := set(arguments.validation) - patients:
        parser.error(f"no such patients: {', '.join(sorted(unknown))}; there are {', '.join(sorted(patients))}")
    train = [case for case in cases if case.patient not in arguments.validation]
    validation = [case for case in cases if case.patient in arguments.validation] or train[:1]
    train += [covid_ct_md(arguments.data / "covid_ct_md", name) for name in arguments.whole_scans]

    start = load_file(arguments.start / "model.safetensors") if arguments.start else {}
    if recipe.training.starts_from and not start:
        print(f"The paper starts this from {recipe.training.starts_from}: give its run with --start.", flush=True)
    weights = {}
    if unknown := set(arguments.stage or ()) - set(recipe.stages):
        parser.error(f"the recipe {recipe.name} has no stage {', '.join(unknown)}")
    for name in arguments.stage or recipe.stages:
        stage = recipe.stages[name]
        print(f"{recipe.name}, {name}: {len({case.patient for case in train})} patients", flush=True)
        earlier = {key.removeprefix(f"{name}."): value for key, value in start.items() if key.startswith(f"{name}.")}
        network = train_stage(
            name,
            stage,
            recipe.training,
            train,
            validation,
            arguments.out / name,
            arguments.seed,
            start=earlier or None,
        )
        for key, value in unique_state(network).items():
            weights[f"{name}.{key}"] = (value.half() if value.is_floating_point() else value).contiguous()
    save_file(weights, arguments.out / "model.safetensors")
    facts = {
        "recipe": recipe.name,
        "seed": arguments.seed,
        "trained_on": sorted({case.patient for case in train}),
        "never_trained_on": sorted(arguments.validation),
    }
    (arguments.out / "training.json").write_text(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
