"""Every layout is recognised by its file names and read back exactly."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support import data_layouts as written

from CovidSegLib.data import dataset, open_data
from CovidSegLib.data import entry_reader as reading
from CovidSegLib.data.patients import was_seen
from CovidSegLib.errors import InputError
from CovidSegLib.evaluation import selection
from CovidSegLib.models import Model


def write_data_set(tmp_path: Path, writer: Callable[[Path], None]) -> Path:
    """Write a data set into a folder of its own below `tmp_path`."""
    folder = tmp_path / writer.__name__
    folder.mkdir()
    writer(folder)
    return folder


@pytest.mark.parametrize("writer", written.WRITERS, ids=lambda writer: writer.__name__)
def test_a_layout_is_read_back_exactly(tmp_path: Path, writer: Callable[[Path], None]) -> None:
    layout, structures, patients = written.WRITERS[writer]
    data = open_data(write_data_set(tmp_path, writer))
    assert data.layout == layout
    assert {entry.name: entry.patient for entry in data.entries} == patients
    assert data.patients == sorted(set(patients.values()))
    cases = data.cases()
    assert [case.name for case in cases] == list(patients)
    for case in cases:
        grey = case.name.startswith("radiopaedia") and layout in ("zenodo", "kaggle")
        np.testing.assert_array_equal(case.scan.hu, written.RESTORED if grey else written.CHEST.scan.hu)
        assert case.scan.hu.dtype == np.int16
        assert case.eight_bit == (grey or layout in ("covid19_ct_seg_hu", "medseg_slices"))
        assert case.scan.spacing == pytest.approx((3.0, 7.0, 7.0))
        assert {*case.masks} == structures
        for structure, mask in case.masks.items():
            assert mask.dtype == bool
            sides = {name: label == written.SIDES for label, name in ((1, "left_lung"), (2, "right_lung"))}
            kinds = {"ground_glass": np.arange(48) < 13, "consolidation": np.arange(48) >= 13}
            infection = written.CHEST.infection & kinds.get(structure, True)
            expected = {"lungs": written.CHEST.lungs, **sides}.get(structure, infection)
            if structure in sides and writer in (written.zenodo_in_one, written.nnunet):  # one label for each voxel
                expected = expected & ~written.CHEST.infection
            np.testing.assert_array_equal(mask, expected, structure)
            assert case.known_slices(structure).all()
        assert case.lungs_known.all() == ("lungs" in structures)


def test_opening_reads_no_image_and_cases_reads_only_the_requested_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_data_set(tmp_path, written.zenodo)
    opened: list[str] = []
    read = reading.read_image
    monkeypatch.setattr(reading, "read_image", lambda file: (opened.append(file.name), read(file))[1])
    data = open_data(folder)
    assert not opened
    assert [case.name for case in data.cases(["coronacases_001"])] == ["coronacases_001"]
    assert opened == ["coronacases_001.nii.gz"] * 3
    with pytest.raises(InputError, match=r'no patient "p9" in ".*"\. Patients: coronacases_001, radiopaedia_10\.'):
        data.cases(["p9"])


def test_whole_scans_are_recognised_by_their_contents(tmp_path: Path) -> None:
    write_data_set(tmp_path, written.mosmed)
    folder = write_data_set(tmp_path, written.whole_scans)
    data = open_data(tmp_path)
    assert (data.layout, data.whole_scans, data.patients) == ("mosmed + whole_scans", ("a", "b"), ["study_0255"])
    assert data.layouts() == ["mosmed"] and data.layouts(["b"]) == ["mosmed", "whole_scans"]
    for name, text in (("a", "normal lungs"), ("b", "a nodule")):
        labels = data.whole_scan(name).slice_labels
        assert labels and (labels.content, labels.infected) == (text, ())
    (folder / "index.json").write_text(json.dumps([{"name": "a", "content": "", "lungs": "unknown.nii.gz"}]))
    with pytest.raises(InputError, match="which states what the scans show, is missing or cannot be read"):
        open_data(folder)


def test_a_folder_of_data_sets_contains_the_scans_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for writer in (written.covid19_ct_seg_hu, written.mosmed):
        write_data_set(tmp_path, writer)
    scans = tmp_path / "covid_ct_md"
    scans.mkdir()
    (scans / "labels.json").write_text(json.dumps({"cases": {"P001": {"infected_slices": [3]}}}))
    (tmp_path / "notes").mkdir()
    data = open_data(tmp_path)
    assert data.layout == "covid19_ct_seg_hu + covid_ct_md + mosmed"
    assert data.whole_scans == ("P001",)
    assert data.patients == ["coronacases_001", "radiopaedia_29_86490_1", "study_0255"]
    monkeypatch.setattr(dataset, "clean_slices", lambda entry: entry.files["ct"])
    assert data.clean_slices("P001") == scans / "P001"
    with pytest.raises(InputError, match=r'no whole scan "P002" in ".*"\. Whole scans: P001'):
        data.clean_slices("P002")
    write_data_set(tmp_path, written.nnunet)
    write_data_set(tmp_path, written.nnunet_version_1)
    with pytest.raises(InputError, match='contains 2 scans called "covid_007"'):
        open_data(tmp_path)


def test_a_folder_without_a_known_layout_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no folder"):
        open_data(tmp_path / "none")
    with pytest.raises(InputError) as error:
        open_data(tmp_path)
    assert all(f"{layout.name} (" in str(error.value) for layout in dataset.LAYOUTS)


@pytest.mark.parametrize(
    ("writer", "file", "text", "message"),
    [
        (written.covid19_ct_seg_hu, "index.json", "[{}]", "lists the runs of slices"),
        (written.kaggle, "metadata.csv", "a,b\n1,2\n", "states which CT and masks belong together"),
        (written.nnunet, "dataset.json", "{", "describes the data set"),
        (written.nnunet, "dataset.json", '{"labels": {"heart": 1}}', "no label named lung"),
        (written.nnunet, "dataset.json", '{"labels": {"lung": 1, "ignore": 2}}', 'a label "ignore"'),
    ],
)
def test_damaged_lists_are_reported(
    tmp_path: Path, writer: Callable[[Path], None], file: str, text: str, message: str
) -> None:
    folder = write_data_set(tmp_path, writer)
    (folder / file).write_text(text)
    with pytest.raises(InputError, match=message) as error:
        open_data(folder)
    assert str(folder / file) in str(error.value)


def test_a_patient_is_the_same_in_every_data_set(tmp_path: Path) -> None:
    assert was_seen("radiopaedia_29", ["radiopaedia_29_86490_1"])
    assert was_seen("coronacases_001", ["coronacases_org_001"])
    assert not was_seen("radiopaedia_2", ["radiopaedia_29_86490_1"])
    model = Model(Path("nowhere"), {"trained_on": ["radiopaedia_10_85902_1"]})
    assert selection.select_data(write_data_set(tmp_path, written.zenodo), [model], None).patients == (
        "coronacases_001",
    )


def test_evaluation_needs_masks_of_infection(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no masks of infection"):
        selection.select_data(write_data_set(tmp_path, written.msd_lung), [], None)


@pytest.mark.parametrize("name", ["../secret", "/etc", "..", "a\\b", ""])
@pytest.mark.parametrize("layout", ["covid_ct_md", "covid19_ct_seg_hu"])
def test_lists_cannot_lead_out_of_the_data_set(tmp_path: Path, layout: str, name: str) -> None:
    folder = tmp_path / layout
    folder.mkdir()
    (folder / "labels.json").write_text(json.dumps({"cases": {name: {"infected_slices": []}}}))
    (folder / "index.json").write_text(json.dumps([{"name": name, "patient": "p", "slices": 1}]))
    with pytest.raises(InputError, match=r"(labels|index)\.json.* cannot be read"):
        open_data(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_are_not_utf8_become_printable(tmp_path: Path) -> None:
    written.zenodo(tmp_path)
    for part in ("COVID-19-CT-Seg_20cases", "Lung_Mask", "Infection_Mask"):
        path = tmp_path / part / "coronacases_001.nii.gz"
        path.rename(path.with_name(os.fsdecode(b"Z\xfcrich\x1b_1.nii.gz")))
    data = open_data(tmp_path)
    assert r"Z\xfcrich\x1b_1" in [entry.name for entry in data.entries]
    assert all(patient.isprintable() for patient in data.patients)
    assert len(data.cases()) == 3
