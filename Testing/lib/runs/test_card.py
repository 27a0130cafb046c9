"""The model card of a finished run, which makes its folder a model."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from support.tiny_run import FACTS, make_run

from CovidSegLib import models, recipes
from CovidSegLib.errors import InputError
from CovidSegLib.models.loading import load_stages, recipe_of
from CovidSegLib.networks.weights import unique_state
from CovidSegLib.runs.card import ensure_card, write_card


def test_a_run_is_a_model_by_its_path(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = write_card(run)
    assert models.find_model(run) == models.find_model(str(run)) == written
    assert (written.name, written.title, written.threshold) == ("tiny-run", "Tiny", 0.5)
    assert written.recipe == str(run / "recipe.toml") and recipe_of(written).name == written.card["recipe"] == "tiny"
    assert written.card["sha256"] == hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest()
    monkeypatch.chdir(run.parent)
    assert models.find_model("tiny-run") == written
    monkeypatch.chdir(run)
    assert models.find_model(".") == written
    assert "tiny-run" not in models.names()


def test_the_loaded_networks_have_the_weights_of_the_run(run: Path) -> None:
    loaded = load_stages(write_card(run), torch.device("cpu"))
    assert list(loaded) == ["lungs", "infection"]
    network_weights = {
        f"{name}.{key}": value for name in loaded for key, value in unique_state(loaded[name].network).items()
    }
    saved = load_file(run / "model.safetensors")
    assert network_weights.keys() == saved.keys()
    assert all(torch.equal(network_weights[key], saved[key]) for key in saved)


def test_a_run_without_recipe_file_uses_the_recipe_of_the_library(run: Path) -> None:
    (run / "recipe.toml").unlink()
    (run / "training.json").write_text(json.dumps({**FACTS, "recipe": "raiu-net"}))
    assert recipe_of(write_card(run)) == recipes.load("raiu-net")


def test_the_card_states_only_recorded_facts_about_the_data(run: Path) -> None:
    unknown = write_card(run).card
    assert unknown["licence"] == (
        "Research use only. The terms of the training data apply; they are not recorded here."
    )
    assert unknown["data"] == {}  # the recipe names the data of the paper, which need not be the data of the run
    assert (unknown["trained_on"], unknown["never_trained_on"], unknown["results"]) == (["a"], ["b"], {})
    assert "Trained on 1 scan." in unknown["limits"] and len(unknown["limits"]) == 4
    facts = {"data": {"Own": "Two scans of ours"}, "licence": "Weights: ours.", "limits": ["Only men."]}
    (run / "training.json").write_text(json.dumps({**FACTS, **facts, "validation": ["c"]}))
    known = write_card(run).card
    assert (known["data"], known["licence"], known["validation"]) == (facts["data"], "Weights: ours.", ["c"])
    assert known["limits"][-1] == "Only men."
    assert models.find_model(run).seen == {"a", "c"}


def test_a_card_of_the_same_weights_is_kept(run: Path) -> None:
    card = write_card(run).card
    (run / "card.json").write_text(json.dumps({**card, "results": {"masks": {"b": 0.5}}}))
    assert ensure_card(run).card["results"] == {"masks": {"b": 0.5}}
    make_run(run)  # trained again
    assert ensure_card(run).card["results"] == {}
    assert ensure_card(run).verified_weights() == (run / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("training.json", None, r'The run "tiny-run" is not finished \(training\.json is missing\)\. Resume it'),
        ("model.safetensors", None, r'"tiny-run" is not finished \(model\.safetensors is missing\)'),
        ("training.json", "{", '"training.json" of the run "tiny-run" cannot be read. Train it again'),
        ("training.json", "[]", "is not a JSON object. Train it again"),
        ("training.json", '{"recipe": "tiny"}', 'lacks "never_trained_on", "trained_on". Train it again'),
        ("recipe.toml", 'like = "chs-net"\ntraining.batch = 0', r'recipe\.toml \(like chs-net\.toml\).*"batch"'),
    ],
)
def test_an_unfinished_or_damaged_run_is_reported(run: Path, file: str, text: str | None, message: str) -> None:
    (run / file).unlink()
    if text is not None:
        (run / file).write_text(text)
    with pytest.raises(InputError, match=message):
        write_card(run)
    assert not (run / "card.json").exists()
    with pytest.raises(InputError, match=r"does not contain a model \(card\.json is missing\)\. Give the folder of a"):
        models.find_model(run)


def test_the_card_says_what_the_model_finds(run: Path) -> None:
    assert write_card(run).finding == "infection"
    text = (run / "recipe.toml").read_text().replace("[infection]", '[infection]\nlabels = ["tumour"]')
    (run / "recipe.toml").write_text(text)
    card = write_card(run)
    assert card.finding == "tumour" and not any("Pneumonia" in limit for limit in card.card["limits"])
