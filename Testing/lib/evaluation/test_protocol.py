"""The protocols of an evaluation: as in clinical use, and as the papers report masks."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from support.stages import slice_stage
from support.tiny_case import chest_case
from torch import nn

from CovidSegLib.errors import InputError
from CovidSegLib.evaluation import paper_prediction, patients, report
from CovidSegLib.evaluation.paper_prediction import predict_as_published
from CovidSegLib.evaluation.protocol import Protocol, choose_protocol
from CovidSegLib.evaluation.selection import finding_of
from CovidSegLib.inference import LoadedStage
from CovidSegLib.models.untrained import untrained_model
from CovidSegLib.progress import silent
from CovidSegLib.recipe import Stage

CASE = chest_case()
FOUR = ("background", "right_lung", "left_lung", "infection")


def fraction(probability: float, where: np.ndarray) -> np.ndarray:
    return (where * round(255 * probability)).astype(np.uint8)


@pytest.fixture
def given_lungs(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray | None]:
    """Networks predict fixed probabilities; the list receives the lungs that they are given."""
    given: list[np.ndarray | None] = []
    right, everywhere = np.zeros_like(CASE.lungs), np.ones_like(CASE.lungs)
    right[..., :24] = True

    def predict_labels(loaded: LoadedStage, scan: object, lungs: np.ndarray | None, *_: object) -> dict:
        given.append(lungs)
        healthy = CASE.lungs & ~CASE.infection
        maps = {
            "background": fraction(0.3, CASE.infection) + fraction(0.9, ~CASE.lungs),
            "right_lung": fraction(0.3, CASE.infection) + fraction(0.9, healthy & right),
            "left_lung": fraction(0.9, healthy & ~right),
            "infection": fraction(0.4, CASE.infection),
            "lungs": fraction(0.51, everywhere),
            "tumour": fraction(0.51, everywhere),
        }
        return {label: maps[label] for label in loaded.stage.labels}

    monkeypatch.setattr(paper_prediction, "predict_labels", predict_labels)
    return given


def predict(infection: Stage, lungs: Stage | None = None, **options: bool) -> tuple[dict[str, np.ndarray], np.ndarray]:
    stages = {"infection": LoadedStage(infection, nn.Identity(), 2.0)}
    if lungs is not None:
        stages["lungs"] = LoadedStage(lungs, nn.Identity())
    return predict_as_published(CASE, stages, **{"own_lungs": False, "target_lungs": False, **options}, progress=silent)


def test_the_most_probable_of_exclusive_labels_is_predicted(given_lungs: list) -> None:
    """Infection is predicted at a probability of 0.4, which is below any threshold but above the other labels."""
    masks, probability = predict(slice_stage(labels=FOUR))
    np.testing.assert_array_equal(masks["infection"], CASE.infection)
    np.testing.assert_array_equal(masks["lungs"], CASE.lungs)  # includes the infection
    np.testing.assert_array_equal(masks["right_lung"] | masks["left_lung"], CASE.lungs & ~CASE.infection)
    assert not (masks["right_lung"] & masks["left_lung"]).any()
    assert probability.max() == 102
    assert given_lungs == [None]


def test_other_labels_are_predicted_from_one_half_without_post_processing(given_lungs: list) -> None:
    """Nothing is cut to the lungs, and no piece is removed."""
    masks, _ = predict(slice_stage(labels=("lungs", "infection")))
    assert masks["lungs"].all() and not masks["infection"].any()
    assert predict(slice_stage(labels=("tumour",)))[0]["tumour"].all()


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("target", [True, False])
def test_networks_that_look_within_the_lungs_get_them(given_lungs: list, masked: bool, own: bool, target: bool) -> None:
    stage = slice_stage(mask_margin_mm=0.0 if masked else None)
    masks, _ = predict(stage, slice_stage(labels=("lungs",)), own_lungs=own, target_lungs=target)
    assert ("lungs" in masks) is own  # the lungs of another model are not those of the paper
    if not masked:
        assert given_lungs[-1] is None
    else:
        np.testing.assert_array_equal(given_lungs[-1], CASE.lungs if target else np.ones_like(CASE.lungs))
    assert len(given_lungs) == 1 + (own or (masked and not target))


def test_the_protocol_of_published_recipes_is_that_of_the_papers() -> None:
    paper, own = untrained_model("covid-segnet"), untrained_model("qc-hc-cascade")
    assert choose_protocol([paper], None, None) == Protocol("paper")
    assert choose_protocol([paper, own], None, None) == Protocol("clinical")
    assert choose_protocol([own], "paper", "target") == Protocol("paper", target_lungs=True)
    with pytest.raises(InputError, match="Give --protocol paper with --lungs target"):
        choose_protocol([own], None, "target")
    tumours = untrained_model("qc-hc-unet-msd")
    assert choose_protocol([tumours], None, None).name == "paper"
    with pytest.raises(InputError, match='"qc-hc-unet-msd-untrained" finds tumour'):
        choose_protocol([tumours], "clinical", None)
    assert finding_of([tumours]) == "tumour" and finding_of([]) == finding_of([own]) == "infection"
    with pytest.raises(InputError, match="Evaluate them separately"):
        finding_of([own, tumours])


def stand_in_for(monkeypatch: pytest.MonkeyPatch, stage: Stage) -> None:
    """Every model consists of one stage."""
    monkeypatch.setattr(patients, "load_stages", lambda *_, **options: {"infection": LoadedStage(stage, nn.Identity())})


@pytest.mark.usefixtures("given_lungs")
def test_tumours_are_measured_like_infection(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without lung masks, as in the Medical Segmentation Decathlon. Tumour is predicted in the whole lungs."""
    stand_in_for(monkeypatch, slice_stage(labels=("background", "tumour")))
    masks = {"tumour": CASE.infection}
    case = replace(CASE, masks=masks, known={"tumour": CASE.known["infection"]})
    model = untrained_model("qc-hc-unet-msd")
    (result,) = results = patients.evaluate_patients([case], model, protocol=Protocol("paper"))
    infected = int(CASE.infection.sum())
    assert result.finding == "tumour"
    assert result.main.voxels.dice == pytest.approx(2 * infected / (infected + int(CASE.lungs.sum())))
    assert result.main.lesions.detected == 1
    report.write_evaluation(tmp_path / "out", [model], results, {}, protocol=Protocol("paper"))
    text = (tmp_path / "out" / "evaluation.md").read_text(encoding="utf-8")
    assert "## Tumour" in text and "## Infection" not in text and "Protocol: paper." in text
    assert "| qc-hc-unet-msd, its paper | 0.8145 |" in text
    stored = json.loads((tmp_path / "out" / "results.json").read_text())[model.name]
    assert stored["how"].startswith("Protocol: paper.") and stored["masks"]["a"]["tumour"]["sensitivity"] == 1.0


@pytest.mark.usefixtures("given_lungs")
def test_counts_resolution_and_sides_are_in_the_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in_for(monkeypatch, slice_stage(labels=FOUR))
    model = untrained_model("qc-hc-unet")
    results = patients.evaluate_patients([CASE, CASE], model, protocol=Protocol("paper"))
    report.write_evaluation(tmp_path / "out", [model], results, {}, protocol=Protocol("paper"))
    with (tmp_path / "out" / "cases.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = {row["structure"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["lungs", "right_lung", "left_lung", "infection"]
    infected = int(CASE.infection.sum())
    assert {row["dice"] for row in rows.values()} == {"1.0"}
    counts = [rows["infection"][f"{name}s"] for name in ("true_positive", "false_positive", "false_negative")]
    assert counts == [str(2 * infected), "0", "0"]
    assert rows["infection"]["true_negatives"] == str(2 * (CASE.infection.size - infected))
    assert [rows["lungs"][key] for key in ("columns", "rows", "slices", "protocol")] == ["48", "48", "24", "paper"]
    text = (tmp_path / "out" / "evaluation.md").read_text(encoding="utf-8")
    assert "| a | 48 x 48 x 24 | no |" in text and "## Right lung" in text
    assert f"| infection | yes | TP {2 * infected} | FN 0 |" in text


@pytest.mark.usefixtures("fixed_prediction", "installed_models")
def test_comparisons_show_three_dimensional_views(
    evaluate: Callable[..., list[dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below the slices: of the target and of both models."""
    drawn: list[list] = []

    def draw(path: Path, title: str, views: dict, solids: list) -> None:
        drawn.append(solids)
        assert all("this slice: Dice" in name and "Jaccard" in name for name in views)
        matplotlib.image.imsave(path, np.zeros((2, 2)))

    class Rendered:
        def __init__(self, surfaces: dict, size: tuple[int, int]) -> None:
            self.surfaces = surfaces

        def pictures(self) -> dict[str, np.ndarray]:
            return {"From the front": np.full((4, 4, 3), 200 + len(self.surfaces), np.uint8)}

        def close(self) -> None:
            pass

    monkeypatch.setattr(report, "draw_comparison", draw)
    monkeypatch.setattr(report, "Rendering", Rendered)
    evaluate("--compare", "first", "second")
    assert [len(solids) for solids in drawn] == [3, 3, 3]
    assert {int(picture[0, 0, 0]) for picture in drawn[0]} == {202}  # lungs and infection
