"""Cross-validation: each patient is measured by the run that has not seen it, and all of them stand in one table."""

from __future__ import annotations

import csv
import json
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
from CovidSegLib.errors import Cancelled, InputError
from CovidSegLib.evaluation import patients, pooling
from CovidSegLib.models import Model, store
from CovidSegLib.models.loading import recipe_of
from CovidSegLib.progress import Progress, silent
from CovidSegLib.runs import cross_validation as folds
from CovidSegLib.runs import fold as fold_training
from CovidSegLib.runs.card import write_card
from CovidSegLib.runs.cross_validation import TrainedFold
from CovidSegLib.segmentation import Segmentation
from CovidSegLib.volume import Volume

PATIENTS = ("p1", "p2", "p3")


def split(run: Path, test: Sequence[str], **facts: object) -> Path:
    """A finished run that was kept from some patients."""
    learnt = [name for name in PATIENTS if name not in test]
    make_run(run, **{"trained_on": learnt, "never_trained_on": list(test), **facts})
    (run / "split.json").write_text(json.dumps({"train": learnt, "validation": [], "test": list(test), "seed": 0}))
    write_card(run)
    return run


class Training:
    """Stands for the training of a fold."""

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
        split(run, test)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three patients with masks."""
    return write_masked_patients(tmp_path / "data")


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> Training:
    stands = Training()
    monkeypatch.setattr(fold_training, "make_fold_trainer", stands)
    return stands


@pytest.fixture
def segmented_by(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stands for the pipeline; notes by which model it was asked."""
    by: list[str] = []

    def segment(volume: Volume, model: Model, **options: object) -> Segmentation:
        by.append(model.name)
        return always(1, 2, 3)(volume, model, **options)

    monkeypatch.setattr(patients, "segment", segment)
    return by


@pytest.fixture
def evaluate(data: Path, tmp_path: Path, segmented_by: list[str]) -> Callable[..., list[dict[str, str]]]:
    """Runs the command, which must end well; gives the rows of the infection in cases.csv."""

    def run(*arguments: object) -> list[dict[str, str]]:
        assert cli.main(["evaluate", str(data), "-o", str(tmp_path / "out"), *map(str, arguments)]) == cli.DONE
        with (tmp_path / "out" / "cases.csv").open(encoding="utf-8-sig", newline="") as file:
            return [row for row in csv.DictReader(file) if row["structure"] == "infection"]

    return run


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "tiny.toml").write_text(RECIPE)
    return tmp_path / "tiny.toml"


def test_every_patient_is_measured_by_the_run_that_left_it_out(
    evaluate: Callable[..., list[dict[str, str]]], training: Training, recipe: Path, tmp_path: Path
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
    assert f"| tiny, 2 runs | {rows[1]['run']} | p2 | no | 1.000 |" in text
    assert "| metric | mean [95 % interval] | median | n | its paper |" in text
    assert str(tmp_path) not in text


def test_it_goes_on_where_it_was_broken_off(
    evaluate: Callable[..., list[dict[str, str]]],
    training: Training,
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
    evaluate(*arguments, "--overwrite")  # measures again and trains nothing
    assert len(training.runs) == 3


@pytest.mark.parametrize("other", [["--folds", "2"], ["--seed", "1"], ["--epochs", "2"], ["--patients", "p1", "p2"]])
def test_folds_of_another_cross_validation_are_left_alone(
    evaluate: Callable[..., list[dict[str, str]]],
    training: Training,
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
    assert "holds the folds of another cross-validation" in capsys.readouterr().err
    assert len(training.runs) == 3


# Runs that have ended


def test_runs_are_pooled_as_folds_are(
    evaluate: Callable[..., list[dict[str, str]]], tmp_path: Path, segmented_by: list[str]
) -> None:
    first, second = split(tmp_path / "a", ["p1", "p3"]), split(tmp_path / "b", ["p2", "elsewhere"])
    rows = evaluate("--runs", first, second)
    assert [(row["patient"], row["run"]) for row in rows] == [("p1", "a"), ("p2", "b"), ("p3", "a")]
    assert segmented_by == ["a", "a", "a", "b"]  # two runs of slices of p1


def test_the_numbers_go_into_the_card_of_the_model_that_was_trained_on_everybody(
    evaluate: Callable[..., list[dict[str, str]]], tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = split(tmp_path / "a", ["p1", "p3"]), split(tmp_path / "b", ["p2"])
    everybody = split(tmp_path / "everybody", [])
    other = Path(shutil.copytree(everybody, tmp_path / "other"))
    (other / "recipe.toml").write_text(RECIPE + "\n[training]\nbatch = 3\n")
    assert "have different recipes" in refused(data, tmp_path, capsys, first, second, "--card-of", other)
    evaluate("--runs", first, second, "--card-of", everybody)
    results = models.open_model(everybody).card["results"]
    assert results["how"].startswith("Cross-validation: 2 trainings")
    assert {name: of["infection"]["dice"] for name, of in results["masks"].items()} == {"p1": 0.4444, "p2": 1, "p3": 0}
    assert models.open_model(first).card["results"] == {}


def test_runs_say_by_what_they_can_be_calibrated(evaluate: Callable[..., list[dict[str, str]]], tmp_path: Path) -> None:
    runs = [split(tmp_path / name, test) for name, test in (("a", ["p1", "p3"]), ("b", ["p2"]))]
    store.update_card(models.open_model(runs[1]), {"temperature": 1.5})
    evaluate("--runs", *runs)
    counted = json.loads((tmp_path / "out" / "calibration.json").read_text())
    assert counted["recipe"] == "tiny" and list(counted["patients"]) == list(PATIENTS)
    # 120 voxels of lung in each run of six slices, all of which are given a probability of 0
    assert [of["voxels"][0] for of in counted["patients"].values()] == [240, 120, 120]
    assert [of["infected"][0] for of in counted["patients"].values()] == [6, 6, 0]
    assert [of["temperature"] for of in counted["patients"].values()] == [1.0, 1.5, 1.0]


def test_whole_scans_are_measured_by_the_first_run_that_has_not_seen_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def evaluate_whole_scans(folder: Path, model: Model, names: list[str], **options: object) -> dict[str, object]:
        asked.extend((name, model.name) for name in names)
        return {name: {"specificity": 1.0} for name in names}

    monkeypatch.setattr(pooling, "evaluate_whole_scans", evaluate_whole_scans)
    seen = {"a": ["p2", "s2", "s3"], "b": ["p1", "s1", "s3"], "c": ["s1", "s2", "s3"]}
    trained = [TrainedFold(Model(Path(name), {"trained_on": scans}), ()) for name, scans in seen.items()]
    told: list[float] = []
    found = pooling.evaluate_folds_on_scans(
        {Path("scans"): ["s1", "s2", "s3"]}, trained, progress=lambda _, f: told.append(f)
    )
    assert asked == [("s1", "a"), ("s2", "b")]  # all have seen s3
    assert found == {"s1": {"specificity": 1.0, "run": "a"}, "s2": {"specificity": 1.0, "run": "b"}}


def test_without_a_split_the_card_says_who_was_left_out(
    evaluate: Callable[..., list[dict[str, str]]], tmp_path: Path
) -> None:
    runs = [split(tmp_path / name, test) for name, test in (("a", ["p1", "p3"]), ("b", ["p2"]))]
    for run in runs:
        (run / "split.json").unlink()
    assert {row["patient"]: row["run"] for row in evaluate("--runs", *runs)} == {"p1": "a", "p2": "b", "p3": "a"}


def test_runs_may_be_measured_on_some_patients(evaluate: Callable[..., list[dict[str, str]]], tmp_path: Path) -> None:
    runs = [split(tmp_path / name, test) for name, test in (("a", ["p1"]), ("b", ["p2"]))]
    assert [row["patient"] for row in evaluate("--runs", *runs, "--patients", "p1", "p2")] == ["p1", "p2"]


@pytest.mark.parametrize(
    ("tests", "told"),
    [
        ((["p1"], ["p2"]), 'The patient "p3" was held out from none of the runs. Add the run from which'),
        (
            (["p1", "p2"], ["p2", "p3"]),
            'The patient "p2" was held out from several runs: a and b. Give the runs of one',
        ),
    ],
)
def test_patients_of_no_run_or_of_several_are_told(
    data: Path, tmp_path: Path, tests: tuple[list[str], ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [split(tmp_path / name, test) for name, test in zip("ab", tests, strict=True)]
    assert told in refused(data, tmp_path, capsys, *runs)


def test_runs_that_do_not_belong_together_are_told(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = split(tmp_path / "a", ["p1", "p3"]), split(tmp_path / "b", ["p2"])
    (second / "recipe.toml").write_text(RECIPE + "\n[training]\nbatch = 3\n")
    assert 'The runs "a" and "b" have different recipes' in refused(data, tmp_path, capsys, first, second)
    other = split(tmp_path / "deep" / "a", ["p2"])
    assert 'Two of the models are called "a"' in refused(data, tmp_path, capsys, first, other)
    (first / "split.json").write_text("{}")
    assert 'split.json of the run "a" cannot be read' in refused(
        data, tmp_path, capsys, first, other.rename(tmp_path / "c")
    )


def test_a_run_that_has_seen_its_test_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = split(tmp_path / "a", list(PATIENTS), trained_on=["p0"], validation=["p2"])
    assert 'The run "a" used "p2", a patient of its own test set, for training' in refused(data, tmp_path, capsys, run)


def refused(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], *runs: Path | str) -> str:
    given = ["evaluate", str(data), "-o", str(tmp_path / "out"), "--runs", *map(str, runs)]
    assert cli.main(given) == cli.UNUSABLE
    assert not (tmp_path / "out").exists()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


# For real


@pytest.mark.usefixtures("one_thread")
def test_a_fold_is_trained_without_the_patients_that_it_leaves_out(recipe: Path, tmp_path: Path) -> None:
    text = recipe.read_text() + "\n[training]\nepochs = { lungs = 1, infection = 1 }\nbatch = 4\n"
    recipe.write_text(text)
    cases = [chest_case(name) for name in ("p1", "p2", "p3")]
    run = tmp_path / "run"
    fold_training.make_fold_trainer(cases, {"licence": "Weights: ours."})(recipe, ["p2"], run, seed=1, progress=silent)
    found = models.find_model(run)
    assert (found.card["trained_on"], found.card["validation"]) == (["p3"], ["p1"])
    assert found.card["never_trained_on"] == ["p1", "p2"]
    assert json.loads((run / "split.json").read_text())["test"] == ["p2"]
    assert recipe_of(found).training.epochs == {"lungs": 1, "infection": 1}
    assert found.card["licence"] == "Weights: ours."
    assert found.verified_weights()


@pytest.mark.usefixtures("one_thread")
def test_a_fold_starts_from_the_weights_that_its_recipe_names(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = 'starts_from = "raiu-net"\nepochs = { lungs = 1, infection = 1 }\nbatch = 4\n'
    recipe.write_text(f"{recipe.read_text()}\n[training]\n{start}")
    train = fold_training.make_fold_trainer([chest_case(name) for name in ("p1", "p2", "p3")], {})
    with pytest.raises(InputError, match="“tiny” starts from trained weights of “raiu-net”: install a model of that"):
        train(recipe, ["p2"], tmp_path / "run", seed=0, progress=silent)
    assert not (tmp_path / "run").exists()
    assert cli.main(["models", "pack", str(make_run(tmp_path / "before")), "--name", "raiu-net"]) == cli.DONE
    with pytest.raises(InputError, match="“raiu-net”, from which the recipe “tiny” starts, has seen the patient “a”"):
        train(recipe, ["a"], tmp_path / "run", seed=0, progress=silent)
    train(recipe, ["p2"], tmp_path / "run", seed=0, progress=silent)
    out = capsys.readouterr().out
    assert "lungs: starts from other weights, but for none" in out
    assert "infection: starts from other weights, but for none" in out
