"""Identifiers of lungs, zones and lesions over a follow-up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset
from support.dicom_factory import write_series
from support.dicom_results import PROVENANCE, complete

from CovidSegLib import dicom, outputs
from CovidSegLib.dicom.earlier import read_earlier, tracking_from
from CovidSegLib.dicom.regions import regions_of
from CovidSegLib.dicom.tracking import Tracking
from CovidSegLib.errors import InputError
from CovidSegLib.followup import registration
from CovidSegLib.segmentation import Segmentation
from CovidSegLib.volume import Grid


@pytest.fixture(autouse=True)
def quick_registration(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chests here differ by a shift only, which the start of the registration finds."""
    monkeypatch.setattr(registration, "RIGID_ITERATIONS", 2)
    monkeypatch.setattr(registration, "DEFORMATION_ITERATIONS", 1)


SHAPE = (30, 60, 64)
GRID = Grid(SHAPE, (4.0, 4.0, 6.0), (-120.0, -110.0, -90.0))
#: The same chest, moved by 12 mm to the left and 18 mm up.
MOVED = Grid(SHAPE, (4.0, 4.0, 6.0), (-108.0, -110.0, -72.0))


def examination(
    folder: Path, grid: Grid, lesions: list[tuple[slice, slice, slice]], patient: str = "P"
) -> tuple[dicom.Source, dicom.Result]:
    """Write a CT with two lungs and these lesions, and return it with its result."""
    z, y, x = np.indices(SHAPE)
    lungs = np.zeros(SHAPE, np.uint8)
    for label, centre in ((1, 18), (2, 46)):
        lungs[((z - 15) / 13) ** 2 + ((y - 30) / 22) ** 2 + ((x - centre) / 11) ** 2 < 1] = label
    infection = np.zeros(SHAPE, bool)
    for box in lesions:
        infection[box] = True
    infection &= lungs > 0
    hu = np.where(lungs > 0, -850, 40)
    hu[infection] = -450

    def edit(data: FileDataset, index: int) -> None:
        complete(data, index)
        data.PatientID = patient

    write_series(folder, hu, grid, edit=edit)
    source = dicom.read_source(folder)
    segmentation = Segmentation(lungs, infection, lungs, grid, dict(PROVENANCE))
    return source, dicom.result_of(source.volume, segmentation)


BOX_A = (slice(8, 14), slice(20, 30), slice(14, 22))
GROWN_A = (slice(7, 15), slice(18, 32), slice(12, 24))
BOX_B = (slice(16, 20), slice(30, 38), slice(42, 48))
BOX_C = (slice(20, 24), slice(24, 40), slice(12, 20))


def tracked(folder: Path, name: str) -> dict[str, Tracking]:
    data = pydicom.dcmread(folder / f"{name}.dcm")
    return {str(item.SegmentLabel): Tracking(item.TrackingID, item.TrackingUID) for item in data.SegmentSequence}


def test_identifiers_are_kept(tmp_path: Path) -> None:
    """Of two lesions one grows and one resolves, and a third one is new and larger than both."""
    earlier, before = examination(tmp_path / "first", GRID, [BOX_A, BOX_B])
    dicom.export(tmp_path / "first export", earlier, before)
    first = tracked(tmp_path / "first export", "lesions")
    assert [tracking.identifier for tracking in first.values()] == ["Lesion 1", "Lesion 2"]

    source, result = examination(tmp_path / "second", MOVED, [GROWN_A, BOX_C])
    regions = regions_of(source, result)
    tracking = tracking_from(tmp_path / "first export", earlier, source, result, regions)
    dicom.export(tmp_path / "second export", source, result, tracking=tracking)
    for name in ("segmentation", "zones"):
        assert tracked(tmp_path / "second export", name).items() >= tracked(tmp_path / "first export", name).items()
    labels = result.lesions
    grown, new = int(labels[11, 25, 18]), int(labels[22, 32, 16])
    second = tracked(tmp_path / "second export", "lesions")
    assert second[f"Lesion {grown}"] == first["Lesion 1"]
    assert second[f"Lesion {new}"].identifier == "Lesion 3"
    assert second[f"Lesion {new}"].uid not in {item.uid for item in first.values()}


def test_a_result_has_the_identifiers_of_its_export(tmp_path: Path) -> None:
    """An earlier CT that was not exported yet: its result is enough."""
    earlier, before = examination(tmp_path / "first", GRID, [BOX_A, BOX_B])
    outputs.write_results(tmp_path / "result", earlier.volume, before.segmentation, skip=["surfaces", "overview"])
    dicom.export(tmp_path / "export", earlier, before)
    of_export, of_result = (read_earlier(tmp_path / name, earlier) for name in ("export", "result"))
    assert of_result.tracking == of_export.tracking
    assert of_result.lesion_tracking == of_export.lesion_tracking
    for name in ("lungs", "lesions"):
        np.testing.assert_array_equal(getattr(of_result, name), getattr(of_export, name))


def test_another_patient_is_refused(tmp_path: Path) -> None:
    earlier, before = examination(tmp_path / "first", GRID, [BOX_A])
    dicom.export(tmp_path / "export", earlier, before)
    source, result = examination(tmp_path / "second", GRID, [BOX_A], patient="Q")
    with pytest.raises(InputError, match="does not have the patient ID of this one"):
        tracking_from(tmp_path / "export", earlier, source, result, regions_of(source, result))
    other, _ = examination(tmp_path / "third", GRID, [BOX_A], patient="Q")
    with pytest.raises(InputError, match="was exported for another CT"):
        tracking_from(tmp_path / "export", other, source, result, regions_of(source, result))
    with pytest.raises(InputError, match="is not a segmentation that CovidSeg has exported"):
        tracking_from(tmp_path, other, source, result, regions_of(source, result))
