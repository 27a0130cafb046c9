"""Splits by patient: no patient is in two lists, sources are spread evenly, and files are checked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from CovidSegLib.data import split_files
from CovidSegLib.data.split import PARTS, Split, make_folds, make_paper_split, make_split, source_of
from CovidSegLib.errors import InputError

PATIENTS = [f"coronacases_{number:03}" for number in range(10)] + [f"radiopaedia_{number}_1" for number in range(10)]

names = st.lists(
    st.builds("{}_{}".format, st.sampled_from(["corona", "radio", "mosmed"]), st.integers(0, 99)),
    min_size=6,
    max_size=40,
    unique=True,
)
seeds = st.integers(0, 2**32)


def lists(split: Split) -> list[Sequence[str]]:
    return [getattr(split, part) for part in PARTS]


def together(split: Split) -> list[str]:
    return sorted(name for part in lists(split) for name in part)


@given(names, seeds, st.integers(0, 2), st.sampled_from([0, 1, 2, 0.2, 0.34]))
def test_each_patient_is_in_one_list(patients: list[str], seed: int, validation: int, test: float) -> None:
    split = make_split(patients, seed, validation, test)
    assert together(split) == sorted(patients)
    assert len(split.validation) == validation
    assert len(split.test) == (test if test >= 1 or not test else max(1, round(test * len(patients))))
    assert all(list(part) == sorted(part) for part in lists(split)) and split.train


@given(names, seeds, st.integers(1, 3))
def test_each_source_has_its_share_of_the_test_patients(patients: list[str], seed: int, test: int) -> None:
    split = make_split(patients, seed, 1, test)
    drawn = Counter(map(source_of, split.test))
    for each, number in Counter(map(source_of, patients)).items():
        assert abs(drawn[each] - test * number / len(patients)) < 1


#: The 20 scans of COVID-19-CT-Seg: two patients of Radiopaedia have two.
CT_SEG = {
    **{f"coronacases_{number:03}": 1 for number in range(10)},
    **{f"radiopaedia_{number}": 2 if number in (10, 29) else 1 for number in (4, 7, 10, 14, 27, 29, 36, 40)},
}


@pytest.mark.parametrize(
    ("paper", "scans"), [((16, 0, 3), (16, 0, 3)), ((14, 2, 4), (14, 2, 4)), ((0.8, 0, 0.2), (16, 0, 4)),
                         ((0.56, 0.14, 0.3), (11, 3, 6)), ((731, 0, 130), (17, 0, 3))]
)  # fmt: skip
def test_the_split_of_a_paper_has_its_numbers_of_scans(paper: tuple[float, ...], scans: tuple[int, ...]) -> None:
    """Patients are not divided, and the same shares are drawn from data sets that are smaller."""
    for seed in range(20):
        split = make_paper_split(CT_SEG, seed, *paper)
        assert tuple(sum(CT_SEG[name] for name in part) for part in lists(split)) == scans
        assert len(set(together(split))) == len(together(split))
        assert split == make_paper_split(dict(reversed(CT_SEG.items())), seed, *paper)
    assert len({make_paper_split(CT_SEG, seed, *paper).test for seed in range(5)}) > 1


def test_the_split_of_a_paper_keeps_the_studies_of_a_patient_together() -> None:
    scans = {"radiopaedia_29_86490_1": 1, "radiopaedia_29_86491_1": 1, "coronacases_001": 1, "coronacases_002": 1}
    for seed in range(10):
        split = make_paper_split(scans, seed, 0.5, 0, 0.5)
        assert len(split.train) == len(split.test) == 2
        assert {*split.test} in ({"coronacases_001", "coronacases_002"}, {*list(scans)[:2]})


@given(names, seeds, st.integers(2, 6), st.sampled_from([0, 1, 0.1]))
def test_each_patient_is_tested_once(patients: list[str], seed: int, folds: int, validation: float) -> None:
    made = make_folds(patients, folds, seed, validation)
    assert len(made) == folds
    assert sorted(name for fold in made for name in fold.test) == sorted(patients)
    assert all(together(fold) == sorted(patients) and fold.train for fold in made)
    for each in {*map(source_of, patients)}:
        tested = [sum(source_of(name) == each for name in fold.test) for fold in made]
        assert max(tested) - min(tested) <= 1
    assert max(len(fold.test) for fold in made) - min(len(fold.test) for fold in made) <= 1


@given(names, seeds, st.randoms())
def test_the_seed_determines_the_split(patients: list[str], seed: int, order: Any) -> None:
    shuffled = patients.copy()
    order.shuffle(shuffled)
    assert make_split(patients, seed, 1, 1) == make_split(shuffled, seed, 1, 1)
    assert make_folds(patients, 3, seed) == make_folds(shuffled, 3, seed)


def test_two_studies_of_one_patient_stay_together() -> None:
    """The real data has two studies of case 29 of Radiopaedia."""
    pair = ["radiopaedia_29_86490_1", "radiopaedia_29_86491_1"]
    for seed in range(20):
        for split in (make_split([*PATIENTS, *pair], seed, 4, 8), *make_folds([*PATIENTS, *pair], 4, seed, 4)):
            assert sum(set(pair) <= set(part) for part in lists(split)) == 1


def test_different_seeds_give_different_splits() -> None:
    assert len({make_split(PATIENTS, seed, 2, 2) for seed in range(20)}) > 15


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            lambda: make_split(PATIENTS[:3], 0, 1, 2),
            "Of 3 patients, 1 for validation and 2 for test leave none for training",
        ),
        (lambda: make_split(PATIENTS, 0, -1, 2), "-1 is not a number of patients for validation"),
        (lambda: make_split(PATIENTS, 0, 1, 2.5), "2.5 is not a number of patients for test"),
        (lambda: make_folds(PATIENTS[:3], 4, 0), r"3 patients cannot be divided into 4 folds\. Choose 2 to 3 folds"),
        (lambda: make_folds(PATIENTS, 1, 0), "20 patients cannot be divided into 1 folds"),
        (lambda: make_folds(PATIENTS[:2], 2, 0), "leave none for training"),
    ],
)
def test_too_few_patients_are_reported(made: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        made()


# Files


def test_splits_are_written_and_read_back(tmp_path: Path) -> None:
    split = make_split(PATIENTS, 7, 2, 0.2)
    path = tmp_path / "new" / "split.json"
    split_files.write_split(path, split)
    assert split_files.read_split(path, PATIENTS) == split
    with pytest.raises(InputError, match="already holds results"):
        split_files.write_split(path, make_split(PATIENTS, 8))
    assert split_files.read_split(path, PATIENTS) == split
    split_files.write_split(path, make_split(PATIENTS, 8), overwrite=True)
    assert split_files.read_split(path, PATIENTS).seed == 8
    assert [each.name for each in path.parent.iterdir()] == ["split.json"]


def test_folds_are_written_to_numbered_files(tmp_path: Path) -> None:
    """Fewer folds replace more folds, and files with other names stay."""
    (tmp_path / "split-mine.json").write_text("mine")
    files = split_files.write_folds(tmp_path / "split.json", make_folds(PATIENTS, 5, 0))
    assert [file.name for file in files] == [f"split-{number}.json" for number in range(1, 6)]
    fewer = make_folds(PATIENTS, 3, 0)
    files = split_files.write_folds(tmp_path / "split.json", fewer, overwrite=True)
    assert [split_files.read_split(file, PATIENTS) for file in files] == fewer
    assert len(list(tmp_path.iterdir())) == 4


def good(**changed: Any) -> dict[str, Any]:
    content = {"seed": 0, "train": PATIENTS[:3], "validation": PATIENTS[3:4], "test": PATIENTS[4:5], **changed}
    return {key: value for key, value in content.items() if value is not None}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (good(test=PATIENTS[:1]), 'the patient "coronacases_000" is in both "train" and "test"'),
        (good(test=["nobody"]), 'a patient "nobody" who is not in the data set'),
        (good(test=PATIENTS[4:5] * 2), '"coronacases_004" is twice in "test"'),
        (good(validation=None), '"validation" is missing'),
        (good(seed=None), '"seed" is missing'),
        (good(seed="x"), '"seed" is not a whole number'),
        (good(train="coronacases_001"), '"train" is not a list of names'),
        (good(train=[1]), '"train" is not a list of names'),
        (good(train=[]), "there are no patients for training"),
        ([], "there must be a JSON object with lists of patients"),
    ],
)
def test_wrong_splits_are_reported(tmp_path: Path, content: Any, message: str) -> None:
    path = tmp_path / "split.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        split_files.read_split(path, PATIENTS)


def test_files_that_are_not_splits_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    with pytest.raises(InputError, match=r"cannot be read \(No such file"):
        split_files.read_split(path, PATIENTS)
    for content in (b"{", b"\xff\xfe"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"is not valid JSON\. Make it with `covidseg data split`"):
            split_files.read_split(path, PATIENTS)


def test_one_patient_in_two_lists_is_reported(tmp_path: Path) -> None:
    pair = ("radiopaedia_29_86490_1", "radiopaedia_29_86491_1")
    split_files.write_split(tmp_path / "split.json", Split(pair[:1], (), pair[1:], 0))
    with pytest.raises(
        InputError, match=r'"radiopaedia_29_86490_1" is in "train" and .* in "test", but they are one patient'
    ):
        split_files.read_split(tmp_path / "split.json", pair)
