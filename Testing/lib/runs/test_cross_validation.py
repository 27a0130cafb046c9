"""Cross-validation: each patient is evaluated by the run that has not seen it, and all share one table."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from support.masked_patients import always, write_masked_patients
from support.tiny_case import chest_case
from support.tiny_run import RECIPE, make_run

from CovidSegLib import models, recipes
from CovidSegLib.cli import main as cli
from CovidSegLib.data.case import Case
from CovidSegLib.data.entry import Entry
from CovidSegLib.errors import Cancelled, InputError
from CovidSegLib.evaluation import patients, pooling
from CovidSegLib.models import Model, store
from CovidSegLib.models.loading import recipe_of
from CovidSegLib.progress import Progress, silent
from CovidSegLib.runs import cross_validation as folds
from CovidSegLib.runs import fold
from CovidSegLib.runs.card import write_card
from CovidSegLib.runs.config import RunConfig
from CovidSegLib.runs.cross_validation import TrainedFold
from CovidSegLib.segmentation import Segmentation
from CovidSegLib.volume import Volume

PATIENTS = ("p1", "p2", "p3")


def make_split_run(run: Path, test: Sequence[str], **facts: object) -> Path:
    """Write a finished run that held out some patients."""
    trained_on = [name for name in PATIENTS if name not in test]
    make_run(run, **{"trained_on": trained_on, "never_trained_on": list(test), **facts})
    (run / "split.json").write_text(json.dumps({"train": trained_on, "validation": [], "test": list(test), "seed": 0}))
    write_card(run)
    return run


class FakeTraining:
    """Replaces the training of a fold."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.test: dict[str, tuple[str, ...]] = {}
        self.cancelled_at: str | None = None

    def __call__(self, cases: Sequence[Case], terms: object, device: str) -> folds.FoldTrainer:
        assert {case.patient for case in cases} <= set(PATIENTS)
        return self.train

    def train(self, recipe: Path, test: Sequence[str], run: Path, *, seed: int, progress: Progress) -> None:
        if run.name == self.cancelled_at:
            raise Cancelled
        progress("training", 0.5)
        self.runs.append(run.name)
        self.test[run.name] = tuple(test)
        self.recipe, self.seed = recipes.load(str(recipe)), seed
        make_split_run(run, test)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three patients with masks."""
    return write_masked_patients(tmp_path / "data", single=False)


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> FakeTraining:
    fake = FakeTraining()
    monkeypatch.setattr(fold, "make_fold_trainer", fake)
    return fake


@pytest.fixture
def segmented_by(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the pipeline, and record the names of the models that segment."""
    names: list[str] = []

    def segment(volume: Volume, model: Model, **options: object) -> Segmentation:
        names.append(model.name)
        return always(1, 2, 3)(volume, model, **options)

    monkeypatch.setattr(patients, "segment", segment)
    return names


@pytest.fixture
def evaluate(data: Path, tmp_path: Path, segmented_by: list[str]) -> Callable[..., list[dict[str, str]]]:
    """Return a function that runs the command and returns the rows of the infection in cases.csv."""

    def run(*arguments: object) -> list[dict[str, str]]:
        assert cli.main(["evaluate", str(data), "-o", str(tmp_path / "out"), *map(str, arguments)]) == cli.DONE
        with (tmp_path / "out" / "cases.csv").open(encoding="utf-8-sig", newline="") as file:
            return [row for row in csv.DictReader(file) if row["structure"] == "infection"]

    return run


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "tiny.toml").write_text(RECIPE)
    return tmp_path / "tiny.toml"


def test_every_patient_is_evaluated_by_the_run_that_held_it_out(
    evaluate: Callable[..., list[dict[str, str]]], training: FakeTraining, recipe: Path, tmp_path: Path
) -> None:
    rows = evaluate("--recipe", recipe, "--folds", 2, "--seed", 3, "--epochs", 7)
    assert training.runs == ["fold-1", "fold-2"] and training.seed == 3
    assert training.recipe.training.epochs == {"lungs": 7, "infection": 7}
    assert sorted(sum(training.test.values(), ())) == list(PATIENTS)
    assert [row["patient"] for row in rows] == list(PATIENTS)
    for row in rows:
        assert row["patient"] in training.test[row["run"]]
        assert (row["model"], row["seen_in_training"]) == ("tiny, 2 runs", "no")
    assert [row["dice"] for row in rows] == ["0.444444", "1.0", "0.0"]
    text = (tmp_path / "out" / "evaluation.md").read_text(encoding="utf-8")
    assert text.startswith("# Evaluation of tiny, 2 runs\n")
    assert "Each case was evaluated by the run from which it was held out" in text
    assert re.search(rf"\| tiny, 2 runs \| {rows[1]['run']} \| p2 \| \d+ x \d+ x \d+ \| no \| 1.000 \|", text)
    assert "| metric | mean [95 % interval] | median | n | its paper |" in text
    assert str(tmp_path) not in text


def test_a_cancelled_cross_validation_resumes(
    evaluate: Callable[..., list[dict[str, str]]],
    training: FakeTraining,
    recipe: Path,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    training.cancelled_at = "fold-2"
    arguments = ["--recipe", str(recipe), "--folds", "3"]
    assert cli.main(["evaluate", str(data), "-o", str(tmp_path / "out"), *arguments]) == cli.CANCELLED
    assert "the trained folds are kept in OUT. Run the same command again to continue." in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["folds"]
    training.cancelled_at = None
    assert len(evaluate(*arguments)) == 3
    assert training.runs == ["fold-1", "fold-2", "fold-3"]
    evaluate(*arguments, "--overwrite")  # evaluates again without training
    assert len(training.runs) == 3


@pytest.mark.parametrize("other", [["--folds", "2"], ["--seed", "1"], ["--epochs", "2"], ["--patients", "p1", "p2"]])
def test_folds_of_another_cross_validation_are_not_touched(
    evaluate: Callable[..., list[dict[str, str]]],
    training: FakeTraining,
    recipe: Path,
    data: Path,
    tmp_path: Path,
    other: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = ["--recipe", str(recipe), "--folds", "3"]
    evaluate(*first)
    given = [*first, "--overwrite", *other, *(["--folds", "2"] if "--patients" in other else [])]
    assert cli.main(["evaluate", str(data), "-o", str(tmp_path / "out"), *given]) == cli.UNUSABLE
    assert "holds a cross-validation with other patients" in capsys.readouterr().err
    assert len(training.runs) == 3


@pytest.mark.parametrize("content", ["{", "[]", '{"recipe": 3}'])
def test_a_damaged_description_of_folds_is_reported(tmp_path: Path, recipe: Path, content: str) -> None:
    (tmp_path / "folds.json").write_text(content)
    with pytest.raises(InputError, match="holds a cross-validation with other patients"):
        folds.cross_validate(str(recipe), PATIENTS, tmp_path, FakeTraining().train, folds=2)


# Finished runs


def test_finished_runs_are_pooled_like_folds(
    evaluate: Callable[..., list[dict[str, str]]], tmp_path: Path, segmented_by: list[str]
) -> None:
    first, second = make_split_run(tmp_path / "a", ["p1", "p3"]), make_split_run(tmp_path / "b", ["p2", "elsewhere"])
    rows = evaluate("--runs", first, second)
    assert [(row["patient"], row["run"]) for row in rows] == [("p1", "a"), ("p2", "b"), ("p3", "a")]
    assert segmented_by == ["a", "a", "a", "b"]  # two runs of slices of p1


def test_the_results_go_into_the_card_of_a_model_that_was_trained_on_all_patients(
    evaluate: Callable[..., list[dict[str, str]]], tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = make_split_run(tmp_path / "a", ["p1", "p3"]), make_split_run(tmp_path / "b", ["p2"])
    all_patients = make_split_run(tmp_path / "all_patients", [])
    other = Path(shutil.copytree(all_patients, tmp_path / "other"))
    (other / "recipe.toml").write_text(RECIPE + "\n[training]\nbatch = 3\n")
    assert "have different recipes" in refused(data, tmp_path, capsys, first, second, "--card-of", other)
    evaluate("--runs", first, second, "--card-of", all_patients)
    results = models.open_model(all_patients).card["results"]
    assert results["how"].startswith("Cross-validation: 2 trainings")
    assert {name: of["infection"]["dice"] for name, of in results["masks"].items()} == {"p1": 0.4444, "p2": 1, "p3": 0}
    assert models.open_model(first).card["results"] == {}


def test_runs_write_the_counts_for_their_calibration(
    evaluate: Callable[..., list[dict[str, str]]], tmp_path: Path
) -> None:
    runs = [make_split_run(tmp_path / name, test) for name, test in (("a", ["p1", "p3"]), ("b", ["p2"]))]
    store.update_card(models.open_model(runs[1]), {"temperature": 1.5})
    evaluate("--runs", *runs)
    counts = json.loads((tmp_path / "out" / "calibration.json").read_text())
    assert counts["recipe"] == "tiny" and list(counts["patients"]) == list(PATIENTS)
    # each run of six slices has 120 lung voxels with a probability of 0
    assert [of["voxels"][0] for of in counts["patients"].values()] == [240, 120, 120]
    assert [of["infected"][0] for of in counts["patients"].values()] == [6, 6, 0]
    assert [of["temperature"] for of in counts["patients"].values()] == [1.0, 1.5, 1.0]


def test_whole_scans_are_evaluated_by_the_first_run_that_has_not_seen_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def evaluate_whole_scans(scans: list[Entry], model: Model, **options: object) -> dict[str, object]:
        asked.extend((scan.name, model.name) for scan in scans)
        return {scan.name: {"specificity": 1.0} for scan in scans}

    monkeypatch.setattr(pooling, "evaluate_whole_scans", evaluate_whole_scans)
    seen = {"a": ["p2", "s2", "s3"], "b": ["p1", "s1", "s3"], "c": ["s1", "s2", "s3"]}
    folds = [TrainedFold(Model(Path(name), {"trained_on": scans}), ()) for name, scans in seen.items()]
    fractions: list[float] = []
    scans = [Entry(name, name, {}) for name in ("s1", "s2", "s3")]
    evaluated = pooling.evaluate_folds_on_scans(scans, folds, progress=lambda _, f: fractions.append(f))
    assert asked == [("s1", "a"), ("s2", "b")]  # all runs have seen s3
    assert evaluated == {"s1": {"specificity": 1.0, "run": "a"}, "s2": {"specificity": 1.0, "run": "b"}}


def test_single_slices_are_evaluated_by_the_run_that_held_them_out(
    evaluate: Callable[..., list[dict[str, str]]], tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(data)
    write_masked_patients(data)
    first, second = make_split_run(tmp_path / "a", ["p1", "p3"]), make_split_run(tmp_path / "b", ["p2", "single"])
    third = make_split_run(tmp_path / "c", ["p2"])
    assert '"single" was held out from none' in refused(data, tmp_path, capsys, first, third)
    assert {row["patient"] for row in evaluate("--runs", first, second)} == {"p1", "p2", "p3"}
    with (tmp_path / "out" / "slices.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [(row["patient"], row["run"], row["structure"]) for row in csv.DictReader(file)]
    assert rows == [("single_a", "b", "lungs"), ("single_a", "b", "infection")]


def test_without_a_split_file_the_card_names_the_held_out_patients(
    evaluate: Callable[..., list[dict[str, str]]], tmp_path: Path
) -> None:
    runs = [make_split_run(tmp_path / name, test) for name, test in (("a", ["p1", "p3"]), ("b", ["p2"]))]
    for run in runs:
        (run / "split.json").unlink()
    assert {row["patient"]: row["run"] for row in evaluate("--runs", *runs)} == {"p1": "a", "p2": "b", "p3": "a"}


def test_runs_can_be_evaluated_on_some_patients(evaluate: Callable[..., list[dict[str, str]]], tmp_path: Path) -> None:
    runs = [make_split_run(tmp_path / name, test) for name, test in (("a", ["p1"]), ("b", ["p2"]))]
    assert [row["patient"] for row in evaluate("--runs", *runs, "--patients", "p1", "p2")] == ["p1", "p2"]


@pytest.mark.parametrize(
    ("tests", "message"),
    [
        ((["p1"], ["p2"]), 'The patient "p3" was held out from none of the runs. Add the run from which'),
        (
            (["p1", "p2"], ["p2", "p3"]),
            'The patient "p2" was held out from several runs: a and b. Give the runs of one',
        ),
    ],
)
def test_patients_held_out_by_no_run_or_several_are_reported(
    data: Path, tmp_path: Path, tests: tuple[list[str], ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [make_split_run(tmp_path / name, test) for name, test in zip("ab", tests, strict=True)]
    assert message in refused(data, tmp_path, capsys, *runs)


def test_runs_that_do_not_belong_together_are_reported(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = make_split_run(tmp_path / "a", ["p1", "p3"]), make_split_run(tmp_path / "b", ["p2"])
    (second / "recipe.toml").write_text(RECIPE + "\n[training]\nbatch = 3\n")
    assert 'The runs "a" and "b" have different recipes' in refused(data, tmp_path, capsys, first, second)
    other = make_split_run(tmp_path / "deep" / "a", ["p2"])
    assert 'Two of the models are called "a"' in refused(data, tmp_path, capsys, first, other)
    (first / "split.json").write_text("{}")
    assert 'split.json of the run "a" cannot be read' in refused(
        data, tmp_path, capsys, first, other.rename(tmp_path / "c")
    )


def test_a_run_that_has_seen_its_test_patients_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_split_run(tmp_path / "a", list(PATIENTS), trained_on=["p0"], validation=["p2"])
    assert 'The run "a" used "p2", a patient of its own test set, for training' in refused(data, tmp_path, capsys, run)


def refused(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], *runs: Path | str) -> str:
    given = ["evaluate", str(data), "-o", str(tmp_path / "out"), "--runs", *map(str, runs)]
    assert cli.main(given) == cli.UNUSABLE
    assert not (tmp_path / "out").exists()
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    return message


# What a fold is trained on


@pytest.fixture
def configurations(monkeypatch: pytest.MonkeyPatch) -> list[tuple[RunConfig, list[str], list[str]]]:
    """Replace training; record the configuration of each run and the cases for training and validation."""
    recorded = []

    def train_run(folder: Path, config: RunConfig, *cases: list[Case], **options: object) -> None:
        train, validation = ([case.name for case in part] for part in cases)
        recorded.append((config, train, validation))

    monkeypatch.setattr(fold, "train_run", train_run)
    return recorded


def test_all_studies_of_a_person_are_in_the_same_list(
    recipe: Path, tmp_path: Path, configurations: list[tuple[RunConfig, list[str], list[str]]]
) -> None:
    """Their names tell the person: a case of Radiopaedia, then the study and the series."""
    names = [f"radiopaedia_{person}_{study}_1" for person in range(10, 20) for study in (100, 200)]
    train = fold.make_fold_trainer([chest_case(name, 1) for name in [*names, "p1"]], {})
    train(recipe, ["p1"], tmp_path / "run", seed=4, progress=silent)
    ((config, trained, validated),) = configurations
    people = [{name.rsplit("_", 2)[0] for name in part} for part in (trained, validated)]
    assert not people[0] & people[1]
    assert (sorted(trained), sorted(validated)) == (sorted(config.split.train), sorted(config.split.validation))
    assert sorted(trained + validated) == names and len(validated) == 4
    assert (config.split.test, config.split.seed, config.seed) == (("p1",), 4, 4)


def test_a_start_model_must_not_have_seen_another_study_of_a_held_out_person(
    recipe: Path, tmp_path: Path, configurations: list[tuple[RunConfig, list[str], list[str]]]
) -> None:
    """Data sets name the same person differently."""
    recipe.write_text(f'{recipe.read_text()}\n[training]\nstarts_from = "raiu-net"\n')
    finished = make_run(tmp_path / "before", trained_on=["radiopaedia_29_86490_1"], never_trained_on=["b"])
    assert cli.main(["models", "pack", str(finished), "--name", "raiu-net"]) == cli.DONE
    held_out = "radiopaedia_org_covid-19-pneumonia-29_86491_1-dcm"
    train = fold.make_fold_trainer([chest_case(name, 1) for name in (held_out, "p1", "p2", "p3")], {})
    with pytest.raises(InputError, match=f'starts, has seen the held-out patient "{held_out}"'):
        train(recipe, [held_out], tmp_path / "run", seed=0, progress=silent)
    assert not configurations
    train(recipe, ["p1"], tmp_path / "run", seed=0, progress=silent)
    assert configurations[0][0].start == models.find_model("raiu-net").folder


# Real training


@pytest.mark.usefixtures("one_thread")
def test_a_fold_is_trained_without_its_held_out_patients(recipe: Path, tmp_path: Path) -> None:
    text = recipe.read_text() + "\n[training]\nepochs = { lungs = 1, infection = 1 }\nbatch = 4\n"
    recipe.write_text(text)
    cases = [chest_case(name) for name in ("p1", "p2", "p3")]
    run = tmp_path / "run"
    fold.make_fold_trainer(cases, {"licence": "Weights: ours."})(recipe, ["p2"], run, seed=1, progress=silent)
    model = models.find_model(run)
    assert (model.card["trained_on"], model.card["validation"]) == (["p3"], ["p1"])
    assert model.card["never_trained_on"] == ["p1", "p2"]
    assert json.loads((run / "split.json").read_text())["test"] == ["p2"]
    assert recipe_of(model).training.epochs == {"lungs": 1, "infection": 1}
    assert model.card["licence"] == "Weights: ours."
    assert model.verified_weights()


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_a_fold_starts_from_the_weights_that_its_recipe_names(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = 'starts_from = "raiu-net"\nepochs = { lungs = 1, infection = 1 }\nbatch = 4\n'
    recipe.write_text(f"{recipe.read_text()}\n[training]\n{start}")
    train = fold.make_fold_trainer([chest_case(name) for name in ("p1", "p2", "p3")], {})
    with pytest.raises(
        InputError, match=r'"tiny" starts from trained weights of "raiu-net", which is not installed\. Install a'
    ):
        train(recipe, ["p2"], tmp_path / "run", seed=0, progress=silent)
    assert not (tmp_path / "run").exists()
    assert cli.main(["models", "pack", str(make_run(tmp_path / "before")), "--name", "raiu-net"]) == cli.DONE
    with pytest.raises(
        InputError, match='"raiu-net", from which the recipe "tiny" starts, has seen the held-out patient "a"'
    ):
        train(recipe, ["a"], tmp_path / "run", seed=0, progress=silent)
    train(recipe, ["p2"], tmp_path / "run", seed=0, progress=silent)
    out = capsys.readouterr().out
    assert "lungs: initialised from trained weights; tensors with random weights: none" in out
    assert "infection: initialised from trained weights; tensors with random weights: none" in out
