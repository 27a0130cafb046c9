"""Masks are read back as they were written, also after 3D Slicer has cropped them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from support.grids import chest

from CovidSegLib.errors import InputError
from CovidSegLib.outputs import write_results
from CovidSegLib.outputs.seg_nrrd import write_seg_nrrd
from CovidSegLib.outputs.stored_result import read_result
from CovidSegLib.segmentation import Segmentation
from CovidSegLib.volume import Volume


def same_masks(one: Segmentation, other: Segmentation) -> bool:
    return np.array_equal(one.lungs, other.lungs) and np.array_equal(one.infection, other.infection)


def rewritten(path: Path, image: sitk.Image, keys: sitk.Image) -> Path:
    """Write an image with the keys of another one."""
    for key in keys.GetMetaDataKeys():
        if key.startswith("Segment"):
            image.SetMetaData(key, keys.GetMetaData(key))
    sitk.WriteImage(image, str(path), useCompression=True)
    return path


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, Volume, Segmentation]:
    volume, segmentation = chest()
    write_results(tmp_path, volume, segmentation, skip=["surfaces", "overview", "labels"])
    return tmp_path, volume, segmentation


def test_a_folder(written: tuple[Path, Volume, Segmentation]) -> None:
    folder, volume, segmentation = written
    result = read_result(folder, volume)
    assert same_masks(result, segmentation)
    assert result.grid is volume.grid and result.provenance == segmentation.provenance


def test_a_file_states_its_model(written: tuple[Path, Volume, Segmentation]) -> None:
    folder, volume, segmentation = written
    result = read_result(folder / "segmentation.seg.nrrd", volume)
    assert same_masks(result, segmentation)
    assert result.provenance == {"model": {"name": "demo", "sha256": "ab" * 32}}


def test_a_file_that_slicer_has_cropped(written: tuple[Path, Volume, Segmentation], tmp_path: Path) -> None:
    folder, volume, segmentation = written
    image = sitk.ReadImage(str(folder / "segmentation.seg.nrrd"))
    path = rewritten(tmp_path / "cropped.seg.nrrd", image[3:, 2:-2, :], image)
    assert same_masks(read_result(path, volume), segmentation)


def test_a_file_with_one_layer(written: tuple[Path, Volume, Segmentation], tmp_path: Path) -> None:
    """Slicer saves segments that do not overlap in one layer."""
    folder, volume, segmentation = written
    keys = sitk.ReadImage(str(folder / "segmentation.seg.nrrd"))
    image = rewritten_labels(segmentation)
    path = rewritten(tmp_path / "one.seg.nrrd", image, keys)
    text = path.read_bytes().replace(b"Segment2_Layer:=1", b"Segment2_Layer:=0")
    path.write_bytes(text.replace(b"Segment2_LabelValue:=1", b"Segment2_LabelValue:=3"))
    result = read_result(path, volume)
    np.testing.assert_array_equal(result.infection, segmentation.infection)
    assert not (result.lungs[segmentation.infection]).any()


def rewritten_labels(segmentation: Segmentation) -> sitk.Image:
    return segmentation.grid.to_image(segmentation.labels)


def test_masks_of_another_ct_are_refused(written: tuple[Path, Volume, Segmentation]) -> None:
    folder, volume, _segmentation = written
    x, y, z = volume.grid.origin
    for grid in (replace(volume.grid, origin=(x + 0.7, y, z)), replace(volume.grid, spacing=(2.0, 1.8, 2.6))):
        with pytest.raises(InputError, match="do not lie on the voxels of the CT"):
            read_result(folder, Volume(volume.array, grid))
    smaller = replace(volume.grid, shape=(15, 30, 40))
    with pytest.raises(InputError, match="reach beyond the CT"):
        read_result(folder, Volume(volume.array[:15], smaller))


def test_what_is_not_a_result(written: tuple[Path, Volume, Segmentation], tmp_path: Path) -> None:
    folder, volume, segmentation = written
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "missing.seg.nrrd", folder / "report.json"):
        with pytest.raises(InputError, match="There is no result"):
            read_result(path, volume)
    sitk.WriteImage(segmentation.grid.to_image(segmentation.lungs), str(tmp_path / "other.seg.nrrd"))
    with pytest.raises(InputError, match="does not hold both lungs"):
        read_result(tmp_path / "other.seg.nrrd", volume)
    content = (folder / "segmentation.seg.nrrd").read_bytes()
    (tmp_path / "half.seg.nrrd").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError):
        read_result(tmp_path / "half.seg.nrrd", volume)
    (folder / "report.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="report"):
        read_result(folder, volume)


def test_a_report_without_provenance(tmp_path: Path) -> None:
    volume, segmentation = chest()
    write_seg_nrrd(tmp_path / "segmentation.seg.nrrd", segmentation)
    (tmp_path / "report.json").write_text(json.dumps({}), encoding="utf-8")
    assert read_result(tmp_path, volume).provenance == {"model": {"name": "demo", "sha256": "ab" * 32}}
